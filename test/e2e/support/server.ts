import { connect } from 'node:net'
import { eventually } from '../../support/eventually.js'
import type { TestProcess } from '../../support/process.js'
import type { Ground } from '../../trial/support/ground.js'

const READY_MS = 20_000

/** A storage server's program on this machine's loopback: frozen, killed and started as often as the test likes. */
export abstract class Server {
  private process: TestProcess | null = null

  constructor(
    protected readonly ground: Ground,
    /** Of the loopback: it is ready when it accepts on all of them. */
    readonly ports: readonly number[],
  ) {}

  protected abstract command(): Promise<readonly string[]>
  protected abstract readonly env: Readonly<Record<string, string>>
  /** What its own log says. */
  protected abstract log(): string
  /** After it accepts. */
  protected async prepare(): Promise<void> {}

  async start(): Promise<void> {
    const program = this.ground.run(['setpriv', '--pdeathsig', 'KILL', ...(await this.command())], { env: this.env })
    this.process = program
    let ended = false
    void program.ended.then(() => {
      ended = true
    })
    const ready = async () => ended || (await Promise.all(this.ports.map(accepts)))
    await eventually(ready, { timeoutMs: READY_MS, intervalMs: 50 })
    if (ended) throw new Error(`the server ended:\n${program.stdout}${program.stderr}${this.log()}`)
    await this.prepare()
  }

  /** SIGSTOP: connections stay, nobody answers. */
  freeze(): void {
    this.process?.signal('SIGSTOP')
  }

  thaw(): void {
    this.process?.signal('SIGCONT')
  }

  /** kill -9, and gone when this resolves. */
  async kill(): Promise<void> {
    const { process } = this
    this.process = null
    await process?.kill()
  }

  stop(): Promise<void> {
    return this.kill()
  }
}

export function accepts(port: number): Promise<true> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', reject)
  })
}
