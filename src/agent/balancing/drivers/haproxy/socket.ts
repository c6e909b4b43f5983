import { connect, type Socket } from 'node:net'
import type { RuntimeCommand } from './member-changes.js'

const MAX_ANSWER_CHARS = 64 * 1024 * 1024
const PROMPT = '\n> '

/** One question on a socket of HAProxy's, which ends the connection with its answer. */
export async function ask(path: string, command: string, deadlineMs: number): Promise<string> {
  const line = await openLine(path, deadlineMs)
  return line.ask(command, deadlineMs)
}

/** Connected, with one question still to be asked: to a worker that nobody will reach any more by the socket's name. */
export interface OpenLine {
  ask(command: string, deadlineMs: number): Promise<string>
  hangUp(): void
}

export async function openLine(path: string, deadlineMs: number): Promise<OpenLine> {
  const socket = await dial(path, deadlineMs)
  return {
    // the master goes on waiting where it is not told that this was all
    ask: (command, withinMs) => converse(socket, `${command};quit\n`, withinMs, () => false),
    hangUp: () => socket.destroy(),
  }
}

/**
 * Many commands over one connection, in their order; HAProxy carries out all of them, whatever it answers to one.
 * @throws Error in its words about the first that is answered otherwise than is expected
 */
export async function tell(path: string, commands: readonly RuntimeCommand[], deadlineMs: number): Promise<void> {
  if (commands.length === 0) return
  const lines = ['prompt', ...commands.map(({ line }) => line)]
  const socket = await dial(path, deadlineMs)
  const text = await converse(socket, `${lines.join('\n')}\n`, deadlineMs, promptCounter(lines.length))
  const [, ...answers] = text.split(PROMPT)
  for (const [index, { line, expects }] of commands.entries()) {
    const answer = (answers[index] ?? '').trim()
    if (!expects.test(answer)) throw new Error(`${line}: ${answer}`)
  }
}

/** Each line, also the one that asks for prompts, is answered up to the next prompt. */
function promptCounter(wanted: number): (chunk: string) => boolean {
  let seen = 0
  let rest = ''
  return (chunk) => {
    const text = rest + chunk
    seen += text.split(PROMPT).length - 1
    const end = text.lastIndexOf(PROMPT)
    rest = text.slice(Math.max(end === -1 ? 0 : end + PROMPT.length, text.length - PROMPT.length + 1))
    return seen >= wanted
  }
}

function dial(path: string, deadlineMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${deadlineMs} ms`)), deadlineMs)
    // stays: an error without anybody who listens would end the agent
    socket.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })
}

/** Until the other side ends it, or `isAll`. */
function converse(
  socket: Socket,
  text: string,
  deadlineMs: number,
  isAll: (chunk: string) => boolean,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: string[] = []
    let length = 0
    const end = (error: Error | null) => {
      clearTimeout(timer)
      socket.destroy()
      if (error) reject(error)
      else resolve(chunks.join(''))
    }
    const timer = setTimeout(() => end(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs)
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      chunks.push(chunk)
      length += chunk.length
      if (length > MAX_ANSWER_CHARS) end(new Error('the answer has no end'))
      else if (isAll(chunk)) end(null)
    })
    socket.once('end', () => end(null))
    socket.once('close', () => end(null))
    socket.once('error', end)
    if (socket.destroyed) end(new Error('the connection has ended'))
    else socket.write(text)
  })
}
