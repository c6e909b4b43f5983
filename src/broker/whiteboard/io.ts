import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Logger } from '../../agent/logger.js'
import { fault } from '../fault-codes.js'
import type { IoAnswer, IoAsk } from './io-messages.js'

export interface IoOptions {
  readonly path: string
  /** For one look or one batch of writes; then the process that hangs is killed. */
  readonly deadlineMs: number
  readonly logger: Logger
}

/** What the whiteboard needs of whoever touches the file; one at a time. */
export interface WhiteboardIo {
  /** @returns blocks that changed since the last look; all where `isFresh`. @throws XmlRpcFault storageUnavailable, storageStuck */
  read(): Promise<{ readonly changed: ReadonlyMap<number, Uint8Array>; readonly isFresh: boolean }>
  write(blocks: ReadonlyMap<number, Uint8Array>): Promise<void>
  close(): void
}

/** Asks a killable process; one that not even SIGKILL ends is waited for, and the storage is stuck until it has gone. */
export class ProcessIo implements WhiteboardIo {
  private child: ChildProcess | null = null
  private stuck: ChildProcess | null = null
  /** The one that knows what was told: another tells everything. */
  private reader: ChildProcess | null = null
  private turn: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: IoOptions) {}

  async read(): Promise<{ changed: ReadonlyMap<number, Uint8Array>; isFresh: boolean }> {
    return this.inTurn(async () => {
      const answer = await this.ask({ ask: 'read' })
      const isFresh = this.reader !== this.child
      this.reader = this.child
      return { changed: 'changed' in answer ? answer.changed : new Map<number, Uint8Array>(), isFresh }
    })
  }

  async write(blocks: ReadonlyMap<number, Uint8Array>): Promise<void> {
    await this.inTurn(() => this.ask({ ask: 'write', blocks }))
  }

  close(): void {
    this.child?.kill('SIGKILL')
    this.child = null
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work)
    this.turn = mine.catch(() => undefined)
    return mine
  }

  private ask(asked: IoAsk): Promise<IoAnswer> {
    if (this.stuck !== null) throw this.isStuck()
    this.child ??= this.start()
    const child = this.child
    const { deadlineMs, path, logger } = this.options
    return new Promise((resolve, reject) => {
      const settle = (work: () => void) => {
        clearTimeout(timer)
        child.off('message', onMessage)
        child.off('exit', onExit)
        work()
      }
      const onMessage = (answer: IoAnswer) =>
        settle(() => {
          if (!('failed' in answer)) return resolve(answer)
          this.forget(child)
          reject(fault('storageUnavailable', `the whiteboard ${path} cannot be used: ${answer.failed}`))
        })
      const onExit = () =>
        settle(() => reject(fault('storageUnavailable', 'the process that touches the whiteboard has ended')))
      const timer = setTimeout(() => {
        settle(() => {
          logger.warn({ path, deadlineMs, pid: child.pid }, 'the whiteboard hangs: its process is killed')
          this.stuck = child
          this.forget(child)
          child.kill('SIGKILL')
          reject(this.isStuck())
        })
      }, deadlineMs)
      child.on('message', onMessage)
      child.once('exit', onExit)
      child.send(asked, (error) => {
        if (error) onExit()
      })
    })
  }

  private start(): ChildProcess {
    const program = fileURLToPath(new URL('./io-process.js', import.meta.url))
    const child = fork(program, [this.options.path], { serialization: 'advanced', stdio: 'ignore' })
    child.on('error', (error) => this.options.logger.error({ err: error }, 'the whiteboard process broke'))
    child.once('exit', () => {
      this.forget(child)
      if (this.stuck === child) this.stuck = null
    })
    return child
  }

  private forget(child: ChildProcess): void {
    if (this.child === child) this.child = null
  }

  private isStuck = () => fault('storageStuck', `the whiteboard ${this.options.path} hangs`)
}
