import { type ChildProcess, spawn } from 'node:child_process'
import { clipped } from '../../wire/text.js'

export interface RunOptions {
  /** After this the process group gets SIGTERM, and SIGKILL after `killAfterMs` more. */
  readonly deadlineMs: number
  readonly killAfterMs?: number
  /** Aborting is like the deadline. */
  readonly signal?: AbortSignal
  /** Of each of stdout and stderr; what comes beyond is read and dropped. */
  readonly maxOutputBytes?: number
  readonly env?: Readonly<Record<string, string>>
  /** What it reads, where nobody else sees it, as all may see an argv. */
  readonly input?: string
}

interface Output {
  readonly stdout: string
  readonly stderr: string
  readonly truncated: boolean
}

export type RunResult =
  | ({ readonly outcome: 'exited'; readonly code: number } & Output)
  | ({ readonly outcome: 'signalled'; readonly signal: NodeJS.Signals } & Output)
  /** Killed at the deadline, or by the signal. */
  | ({ readonly outcome: 'timed-out' } & Output)
  /** Not even SIGKILL ended it, as with a process that waits for a dead device; `ended` resolves when it goes. */
  | ({ readonly outcome: 'unkillable'; readonly ended: Promise<void> } & Output)
  | { readonly outcome: 'not-started'; readonly error: NodeJS.ErrnoException }

export type Run = (program: string, args: readonly string[], options: RunOptions) => Promise<RunResult>

const DEFAULT_MAX_OUTPUT_BYTES = 64 * 1024
const KILL_AFTER_MS = 2000
const REAP_AFTER_MS = 1000
const PIPES_AFTER_EXIT_MS = 200
const MAX_WORDS_CHARS = 2000
const ALWAYS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Where programs are looked for. */
export const programPath = (): string => (process.env.PATH ? `${process.env.PATH}:${ALWAYS}` : ALWAYS)

/** Runs a program by argv, in a process group of its own, with the C locale, and no input but what is given. Never rejects. */
export const run: Run = (program, args, options) => {
  const env = { PATH: programPath(), LC_ALL: 'C', ...options.env }
  let child: ChildProcess
  try {
    const stdin = options.input === undefined ? 'ignore' : 'pipe'
    child = spawn(program, args, { detached: true, stdio: [stdin, 'pipe', 'pipe'], env })
  } catch (error) {
    return Promise.resolve({ outcome: 'not-started', error: error as NodeJS.ErrnoException })
  }
  return new Promise((resolve) => follow(child, options, resolve))
}

function follow(child: ChildProcess, options: RunOptions, resolve: (result: RunResult) => void): void {
  const { deadlineMs, killAfterMs = KILL_AFTER_MS, maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES, signal } = options
  const stdout = collect(child.stdout!, maxOutputBytes)
  const stderr = collect(child.stderr!, maxOutputBytes)
  const output = () => ({
    stdout: stdout.text(),
    stderr: stderr.text(),
    truncated: stdout.truncated() || stderr.truncated(),
  })
  const timers: NodeJS.Timeout[] = []
  let killed = false
  let reap!: () => void
  const ended = new Promise<void>((resolveEnded) => {
    reap = resolveEnded
  })
  const finish = (result: RunResult) => {
    for (const timer of timers) clearTimeout(timer)
    signal?.removeEventListener('abort', kill)
    child.stdout!.destroy()
    child.stderr!.destroy()
    resolve(result)
  }
  const kill = () => {
    if (killed) return
    killed = true
    signalGroup(child, 'SIGTERM')
    timers.push(
      setTimeout(() => signalGroup(child, 'SIGKILL'), killAfterMs),
      setTimeout(() => {
        // It must not keep the agent from ending, as it keeps itself.
        child.unref()
        finish({ outcome: 'unkillable', ended, ...output() })
      }, killAfterMs + REAP_AFTER_MS),
    )
  }

  // it may end before it has read all
  child.stdin?.on('error', () => undefined).end(options.input)
  timers.push(setTimeout(kill, deadlineMs))
  if (signal?.aborted) kill()
  else signal?.addEventListener('abort', kill, { once: true })

  child.once('error', (error) => {
    if (child.pid === undefined) finish({ outcome: 'not-started', error })
  })
  child.once('exit', (code, bySignal) => {
    reap()
    const result = () => {
      if (killed) return finish({ outcome: 'timed-out', ...output() })
      if (code === null) return finish({ outcome: 'signalled', signal: bySignal!, ...output() })
      finish({ outcome: 'exited', code, ...output() })
    }
    // A daemon that the program left behind may hold the pipes: the rest of the output is worth a short wait only.
    timers.push(setTimeout(result, PIPES_AFTER_EXIT_MS))
    child.once('close', result)
  })
}

/** The group, so that what the program started goes with it. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    child.kill(signal)
  }
}

function collect(stream: NodeJS.ReadableStream, maxBytes: number): { text(): string; truncated(): boolean } {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    if (bytes < maxBytes) chunks.push(chunk.subarray(0, maxBytes - bytes))
    bytes += chunk.length
  })
  stream.on('error', () => undefined)
  return { text: () => Buffer.concat(chunks).toString('utf8'), truncated: () => bytes > maxBytes }
}

/** The tool's own words about a run that went wrong, in one line. */
export function wordsOf(result: RunResult): string {
  if (result.outcome === 'not-started') return result.error.message
  const words = clipped((result.stderr.trim() || result.stdout.trim()).replace(/\s*\n\s*/g, '; '), MAX_WORDS_CHARS)
  const ends: Readonly<Record<Exclude<RunResult['outcome'], 'not-started'>, string>> = {
    exited: result.outcome === 'exited' ? `exit code ${result.code}` : '',
    signalled: result.outcome === 'signalled' ? `ended by ${result.signal}` : '',
    'timed-out': 'killed after its time had passed',
    unkillable: 'hangs and cannot be killed',
  }
  if (result.outcome === 'exited' && words !== '') return words
  return words === '' ? ends[result.outcome] : `${ends[result.outcome]}: ${words}`
}
