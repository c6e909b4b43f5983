import { connect } from 'node:net'

/** How a program in the guest ended. */
export interface Ran {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

export interface RunInGuest {
  readonly argv: readonly string[]
  readonly input?: string
  readonly timeoutMs: number
}

const ANSWER_MS = 15_000

/** @param answerMs the guest ends the program itself in time; that it does not answer at all is found out this much later */
export function runInGuest(port: number, request: RunInGuest, answerMs = ANSWER_MS): Promise<Ran> {
  return ask(port, request, request.timeoutMs + answerMs) as Promise<Ran>
}

/** Answers its pid in the guest; it goes on. */
export async function startInGuest(port: number, argv: readonly string[]): Promise<number> {
  const answer = (await ask(port, { argv, background: true }, ANSWER_MS)) as { pid?: number; error?: string }
  if (answer.pid === undefined) throw new Error(`${argv.join(' ')} was not started in the guest: ${answer.error}`)
  return answer.pid
}

/** One line of JSON there, one back: `scripts/virtual-host/guest/control.mjs`. */
function ask(port: number, request: object, timeoutMs: number): Promise<object> {
  return new Promise((resolve, reject) => {
    let said = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(`${JSON.stringify(request)}\n`))
    const timer = setTimeout(
      () => socket.destroy(new Error(`the guest does not answer within ${timeoutMs} ms`)),
      timeoutMs,
    )
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      said += text
    })
    socket.once('error', reject)
    socket.once('close', () => {
      clearTimeout(timer)
      if (said.endsWith('\n')) resolve(JSON.parse(said) as object)
      else reject(new Error('the guest closed the connection without an answer'))
    })
  })
}
