import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { ProbeLimits } from './driver.js'
import { StuckError } from './faults.js'

/**
 * Opens each directory that it is told of and reads one entry: what a probe of a target is. It ends with its input, and so
 * with the agent, however that ends. `/.` refuses what is no directory.
 */
const LOOK = `
const { opendirSync } = require('node:fs')
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  let answer = 'listed'
  try {
    const directory = opendirSync(JSON.parse(line) + '/.')
    try {
      directory.readSync()
    } finally {
      // one that stays open keeps what is mounted there busy
      directory.closeSync()
    }
  } catch {
    answer = 'failed'
  }
  process.stdout.write(answer + '\\n')
})`
/** A child of Node costs some 40 MB and as many milliseconds: one is kept for the next probe. */
const KEPT = 1
/** For one that is busy: a look that is well takes far less than a child's start. */
const PATIENCE_MS = 100
const IDLE_MS = 60_000
const REAP_MS = 1_000
const ENDED = 'ended'

interface Looker {
  readonly child: ChildProcess
  readonly ended: Promise<void>
  answer: ((line: string) => void) | null
  over: boolean
  idle: NodeJS.Timeout | null
}

/**
 * Looks into directories in children that can be killed, one directory at a time each. A child that hangs is given up, and
 * delays nobody: the next look has another one.
 */
export class Listers {
  private readonly idle: Looker[] = []
  private busy = 0
  private readonly waiting: ((looker: Looker) => void)[] = []
  private hurry: NodeJS.Timeout | null = null

  /**
   * @returns whether it could be listed: why not, a tool's words tell better
   * @throws StuckError past the time, or when it is to be left
   */
  async look(directory: string, { timeoutMs, signal }: Pick<ProbeLimits, 'timeoutMs' | 'signal'>): Promise<boolean> {
    const looker = await this.take(signal)
    if (looker === null) throw new StuckError(`${directory} is not looked at any more`, Promise.resolve())
    const answer = await this.ask(looker, directory, timeoutMs, signal)
    if (answer !== null && answer !== ENDED) this.give(looker)
    else this.busy--
    if (answer === null) await giveUp(looker, `${directory} did not answer within ${timeoutMs} ms`)
    return answer === 'listed'
  }

  /** @returns null when `signal` fires before one is free */
  private async take(signal: AbortSignal): Promise<Looker | null> {
    const looker = this.idle.pop()
    if (looker?.idle) clearTimeout(looker.idle)
    if (!looker && this.busy > 0) return this.freed(signal)
    this.busy++
    return looker ?? this.start()
  }

  /** Many targets are due at once, and one child serves them all; while it hangs, one more at a time is started. */
  private freed(signal: AbortSignal): Promise<Looker | null> {
    return new Promise((resolve) => {
      const take = (looker: Looker) => {
        signal.removeEventListener('abort', leave)
        resolve(looker)
      }
      const leave = () => {
        this.waiting.splice(this.waiting.indexOf(take), 1)
        resolve(null)
      }
      if (signal.aborted) return resolve(null)
      signal.addEventListener('abort', leave, { once: true })
      this.waiting.push(take)
      this.beImpatient()
    })
  }

  private beImpatient(): void {
    this.hurry ??= setTimeout(() => {
      this.hurry = null
      const next = this.waiting.shift()
      if (!next) return
      this.busy++
      next(this.start())
      if (this.waiting.length > 0) this.beImpatient()
    }, PATIENCE_MS)
  }

  private give(looker: Looker): void {
    const next = this.waiting.shift()
    if (next) next(looker)
    else {
      this.busy--
      this.keep(looker)
    }
  }

  private start(): Looker {
    const child = spawn(process.execPath, ['-e', LOOK], {
      cwd: '/',
      detached: true,
      env: {},
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
    const looker: Looker = { child, ended, answer: null, over: false, idle: null }
    child.stdin?.on('error', () => undefined)
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => looker.answer?.(line))
    // it must not keep the agent from ending
    child.unref()
    for (const stream of [child.stdin, child.stdout]) (stream as unknown as { unref?: () => void } | null)?.unref?.()
    void ended.then(() => {
      looker.over = true
      this.forget(looker)
      // one that ended by itself cannot tell: asked again, a tool does
      looker.answer?.(ENDED)
    })
    return looker
  }

  /** @returns null when it did not answer in time, or is to be left */
  private async ask(looker: Looker, directory: string, timeoutMs: number, signal: AbortSignal): Promise<string | null> {
    return new Promise((resolve) => {
      const done = (answer: string | null) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        looker.answer = null
        resolve(answer)
      }
      const abort = () => done(null)
      const timer = setTimeout(abort, timeoutMs)
      signal.addEventListener('abort', abort, { once: true })
      looker.answer = done
      if (looker.over) return done(ENDED)
      looker.child.stdin?.write(`${JSON.stringify(directory)}\n`)
      if (signal.aborted) abort()
    })
  }

  private keep(looker: Looker): void {
    if (this.idle.length >= KEPT) return void looker.child.stdin?.end()
    looker.idle = setTimeout(() => looker.child.stdin?.end(), IDLE_MS).unref()
    this.idle.push(looker)
  }

  private forget(looker: Looker): void {
    const at = this.idle.indexOf(looker)
    if (at >= 0) this.idle.splice(at, 1)
    if (looker.idle) clearTimeout(looker.idle)
  }
}

/** @throws StuckError always: `ended` resolves when the child has gone, which one that waits for a dead device does not. */
async function giveUp({ child, ended }: Looker, words: string): Promise<never> {
  child.kill('SIGKILL')
  const gone = ended.then(() => 'gone' as const)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), REAP_MS)
  })
  const outcome = await Promise.race([gone, late])
  clearTimeout(timer)
  throw new StuckError(words, outcome === 'gone' ? Promise.resolve() : ended)
}
