import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Answer, Question } from './questions.js'

export interface ProcessSettings {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly nodeOptions?: readonly string[]
}

/** CPU time of a process since its start, in microseconds. */
export const cpuMicros = ({ user, system }: NodeJS.CpuUsage): number => user + system

const KEPT_CHARS = 16_384
const running = new Set<BenchProcess>()
process.on('exit', () => {
  for (const started of running) started.signal('SIGKILL')
})

/** A Node program in a process of its own, which answers questions over IPC; none outlives the bench. */
export class BenchProcess {
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  private readonly exited: Promise<unknown>
  private lastId = 0
  private said = ''

  /** @param module path below dist */
  constructor(
    private readonly module: string,
    { args = [], env = {}, nodeOptions = [] }: ProcessSettings = {},
  ) {
    this.child = fork(fromDist(module), [...args], {
      env: { ...cleanEnvironment(), ...env },
      execArgv: [...nodeOptions],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    running.add(this)
    this.exited = once(this.child, 'exit')
    this.child.on('exit', () => this.onExit())
    this.child.on('message', (answer: Answer) => this.settle(answer))
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.said = (this.said + text).slice(-KEPT_CHARS)
      })
    }
  }

  get alive(): boolean {
    return running.has(this)
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** The end of what it has said on either output. */
  get words(): string {
    return this.said
  }

  ask<T>(ask: string, detail: unknown = null): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.alive) return reject(new Error(`${this.module} has ended:\n${this.said}`))
      const id = ++this.lastId
      this.waiting.set(id, { resolve: (answer) => resolve(answer as T), reject })
      const question: Question = { id, ask, detail }
      this.child.send(question)
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.alive) this.signal(signal)
    await this.exited
  }

  private settle({ id, answer, error }: Answer): void {
    const asked = this.waiting.get(id)
    this.waiting.delete(id)
    if (error === undefined) asked?.resolve(answer)
    else asked?.reject(new Error(`${this.module}: ${error}`))
  }

  private onExit(): void {
    running.delete(this)
    for (const { reject } of this.waiting.values()) reject(new Error(`${this.module} has ended:\n${this.said}`))
    this.waiting.clear()
  }
}

export const fromDist = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** What this machine has configured for a real engine must not reach a measured one. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('KEELSON_') && !['DATABASE_URL', 'NODE_OPTIONS'].includes(name),
  )
  return Object.fromEntries(kept)
}
