import { chmod, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { openControlPath } from './control-path.js'
import type { Logger } from './logger.js'
import { StateDirectoryError } from './state-error.js'

const ANSWER_MS = 5000
const MAX_LINE_CHARS = 4 * 1024 * 1024

export interface ControlRequest {
  readonly ask: string
  readonly force?: boolean
}

export interface ControlAnswer {
  readonly answer?: object
  /** Why it was not done. */
  readonly error?: string
}

export type ControlQuestions = Readonly<
  Record<string, (request: ControlRequest) => ControlAnswer | Promise<ControlAnswer>>
>

export interface ControlServer {
  close(): Promise<void>
}

/** A socket in the state directory, for its owner alone: one line of JSON asks, one line answers. */
export async function serveControl(
  stateDir: string,
  questions: ControlQuestions,
  logger: Logger,
): Promise<ControlServer> {
  const place = await openControlPath(stateDir)
  if (await answers(place.path)) {
    await place.close()
    throw new StateDirectoryError(`another agent runs on ${stateDir}`)
  }
  await rm(place.path, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    void answer(socket, questions, logger)
  })
  await listen(server, place.path)
  await chmod(place.path, 0o600)
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of sockets) socket.destroySoon()
      await closed
      await place.close()
    },
  }
}

/** @returns null when no agent listens there. @throws Error when one does and does not answer. */
export async function askAgent(
  stateDir: string,
  request: ControlRequest,
  timeoutMs = ANSWER_MS,
): Promise<ControlAnswer | null> {
  const place = await openControlPath(stateDir)
  try {
    const socket = await dial(place.path)
    if (socket === null) return null
    socket.write(`${JSON.stringify(request)}\n`)
    return JSON.parse(await readLine(socket, timeoutMs)) as ControlAnswer
  } finally {
    await place.close()
  }
}

async function answer(socket: Socket, questions: ControlQuestions, logger: Logger): Promise<void> {
  try {
    const request = JSON.parse(await readLine(socket, ANSWER_MS, { end: false })) as ControlRequest
    const question = Object.hasOwn(questions, request.ask) ? questions[request.ask] : undefined
    const reply = (await question?.(request)) ?? { error: `the agent cannot be asked for ${request.ask}` }
    socket.end(`${JSON.stringify(reply)}\n`)
  } catch (error) {
    logger.debug({ err: error }, 'a question on the control socket was not understood')
    socket.destroy()
  }
}

/** A stopped process accepts too: the kernel does it for it. */
async function answers(path: string): Promise<boolean> {
  const socket = await dial(path)
  socket?.destroy()
  return socket !== null
}

function dial(path: string): Promise<Socket | null> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    socket.once('connect', () => resolve(socket))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(null)
      else reject(error)
    })
  })
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new StateDirectoryError(`${path} cannot be listened on: ${error.message}`)))
    server.listen({ path }, resolve)
  })
}

function readLine(socket: Socket, timeoutMs: number, { end } = { end: true }): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const settle = (work: () => void) => {
      clearTimeout(timer)
      if (end) socket.destroy()
      work()
    }
    const timer = setTimeout(() => settle(() => reject(new Error(`no answer within ${timeoutMs} ms`))), timeoutMs)
    socket.setEncoding('utf8')
    socket.on('error', (error) => settle(() => reject(error)))
    socket.on('close', () => settle(() => reject(new Error('the connection closed without an answer'))))
    socket.on('data', (chunk: string) => {
      text += chunk
      const newline = text.indexOf('\n')
      if (newline !== -1) settle(() => resolve(text.slice(0, newline)))
      else if (text.length > MAX_LINE_CHARS) settle(() => reject(new Error('the line is too long')))
    })
  })
}
