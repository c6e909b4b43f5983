import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { PROBLEM_MEDIA_TYPE } from './problem.js'
import { type ProblemType, problems, problemUrn } from './problems.js'

const types: Readonly<Record<string, ProblemType>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
}

/**
 * Answers what Node's parser refuses: there is no request and no reply yet, only a socket. It is closed, since where the
 * next request would begin is not known.
 */
export function brokenRequestHandler(headers: Readonly<Record<string, string>>) {
  const fixed = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return (error: Error & { code?: string }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return
    // there is no TLS yet in which an answer could be given
    if (/^ERR_(SSL|TLS)_/.test(error.code ?? '')) {
      socket.destroy()
      return
    }
    // what follows a request that is the last one is not read, and takes nothing from its reply
    if (error.code === 'HPE_CLOSED_CONNECTION') return
    const type = types[error.code ?? ''] ?? 'bad-request'
    const { status, title } = problems[type]
    const body = JSON.stringify({
      type: problemUrn(type),
      title,
      status,
      detail: 'the request is not well-formed HTTP',
    })
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      `content-type: ${PROBLEM_MEDIA_TYPE}`,
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
      ...fixed,
    ]
    if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
    socket.destroySoon()
  }
}
