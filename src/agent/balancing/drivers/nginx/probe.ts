import { createSocket } from 'node:dgram'
import { connect as connectTcp, isIPv6, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { CheckType, MemberCheck } from './checks.js'

/** Enough for a status line; the rest of an answer is of no interest. */
const MAX_LINE_CHARS = 1024
/** How long after a datagram a host says that nothing listens there. */
const REFUSAL_MS = 1000

/** Checks once. @returns null: well; else what was wrong. Never rejects, and never takes longer than the check may. */
export async function probe(check: MemberCheck): Promise<string | null> {
  try {
    return await probes[check.type](check)
  } catch (error) {
    // a socket may be refused before it is one
    return error instanceof Error ? error.message : String(error)
  }
}

const probes: Readonly<Record<CheckType, (check: MemberCheck) => Promise<string | null>>> = {
  TCP: (check) => overSocket(check, connectTcp(check.port, check.address), 'connect', null),
  HTTP: (check) => overSocket(check, connectTcp(check.port, check.address), 'connect', check.request),
  HTTPS: (check) => overSocket(check, tlsTo(check), 'secureConnect', check.request),
  'TLS-HELLO': (check) => overSocket(check, tlsTo(check), 'secureConnect', null),
  'UDP-CONNECT': overDatagram,
}

/** Whose the certificate is, is not asked: members rarely have one for their address. */
const tlsTo = ({ address, port }: MemberCheck): Socket => connectTls({ port, host: address, rejectUnauthorized: false })

/** @param request null: being connected is enough */
function overSocket(
  check: MemberCheck,
  socket: Socket,
  ready: 'connect' | 'secureConnect',
  request: string | null,
): Promise<string | null> {
  return new Promise((resolve) => {
    const finish = (words: string | null) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(words)
    }
    // who stops does not wait for a member
    socket.unref()
    const timer = setTimeout(() => finish(`no answer within ${check.timeoutMs} ms`), check.timeoutMs).unref()
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.message || (error.code ?? 'connection failed')))
    socket.once(ready, () => {
      if (request === null) finish(null)
      else socket.write(request)
    })
    let answer = ''
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
      const end = answer.indexOf('\n')
      if (end >= 0 || answer.length > MAX_LINE_CHARS) finish(judge(answer.slice(0, Math.max(end, 0)), check))
    })
    socket.once('close', () => finish('the connection was closed before an answer'))
  })
}

function judge(line: string, { codes }: MemberCheck): string | null {
  const code = Number(/^HTTP\/\d\.\d (\d{3})\b/.exec(line)?.[1] ?? Number.NaN)
  if (Number.isNaN(code)) return 'the answer was not HTTP'
  return codes.some(([from, to]) => from <= code && code <= to) ? null : `the answer was ${code}`
}

/** Silence is good, since few services answer an empty datagram; a refusal is not. */
function overDatagram({ address, port, timeoutMs }: MemberCheck): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    let isOver = false
    const finish = (words: string | null) => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      // an error may still be under way
      socket.removeAllListeners().on('error', () => undefined)
      socket.close()
      resolve(words)
    }
    socket.unref()
    const timer = setTimeout(() => finish(null), Math.min(timeoutMs, REFUSAL_MS)).unref()
    socket.on('error', (error) => finish(error.message))
    socket.on('message', () => finish(null))
    // Node calls back with the error where there is no way to the address, whatever its types say
    socket.connect(port, address, (error?: Error) => {
      if (error) finish(error.message)
      else if (!isOver) socket.send('')
    })
  })
}
