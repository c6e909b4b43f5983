import { connect } from 'node:net'
import type { RuntimeCommand } from './member-changes.js'

const MAX_ANSWER_CHARS = 64 * 1024 * 1024
const PROMPT = '\n> '

/** One question on a socket of HAProxy's, which ends the connection with its answer. */
export async function ask(path: string, command: string, deadlineMs: number): Promise<string> {
  // the master goes on waiting where it is not told that this was all
  return converse(path, `${command};quit\n`, deadlineMs, () => false)
}

/**
 * Many commands over one connection, in their order. Stops at the first that is answered otherwise than it expects.
 * @throws Error in HAProxy's words
 */
export async function tell(path: string, commands: readonly RuntimeCommand[], deadlineMs: number): Promise<void> {
  if (commands.length === 0) return
  const lines = ['prompt', ...commands.map(({ line }) => line)]
  const counter = promptCounter(lines.length)
  const text = await converse(path, `${lines.join('\n')}\n`, deadlineMs, counter)
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

/** Until the other side ends it, or `isAll`. Text here is ASCII: names of ours and words of HAProxy's. */
function converse(path: string, text: string, deadlineMs: number, isAll: (chunk: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: string[] = []
    let length = 0
    const socket = connect({ path }, () => socket.write(text))
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
    socket.once('error', end)
  })
}
