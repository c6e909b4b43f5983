import { mkdirSync } from 'node:fs'
import { type HostIdentity, writeIdentity } from '../../../src/agent/identity.js'
import type { AgentStatus } from '../../../src/agent/status.js'
import { eventually } from '../../support/eventually.js'
import type { Ground } from './ground.js'
import { Restartable } from './restartable.js'
import { mountsBelow } from './sweep.js'

/** This machine, with a real agent on it that is killed and started as often as the trial likes. */
export class RealHost extends Restartable {
  readonly stateDir: string

  constructor(
    private readonly ground: Ground,
    private readonly engine: { readonly tcpAddress: string; readonly joinTokenFile?: string },
    readonly name: string,
    private readonly env: Readonly<Record<string, string>> = {},
  ) {
    super('agent')
    this.stateDir = ground.path(`agent-${name}`)
  }

  /** Instead of joining with the engine's token. */
  async is(identity: HostIdentity): Promise<void> {
    mkdirSync(this.stateDir, { recursive: true, mode: 0o700 })
    await writeIdentity(this.stateDir, identity)
  }

  start(): void {
    this.process = this.ground.keelson(['agent'], { env: { ...this.environment(), ...this.env } })
  }

  /** `keelson agent status`. */
  async status(): Promise<AgentStatus> {
    const program = this.ground.keelson(['agent', 'status', '--json', '--state-dir', this.stateDir])
    await program.ended
    try {
      return JSON.parse(program.stdout) as AgentStatus
    } catch {
      throw new Error(`keelson agent status said ${program.stdout}${program.stderr}`)
    }
  }

  /** What the kernel has mounted for this agent. */
  mounts(): string[] {
    return mountsBelow(this.stateDir).sort()
  }

  /** The agent says so itself. */
  async connected(timeoutMs = 60_000): Promise<void> {
    await eventually(
      async () => {
        const { session } = await this.status()
        if (session?.state !== 'connected') throw new Error(`the agent is ${JSON.stringify(session)}`)
      },
      { timeoutMs, intervalMs: 200 },
    )
  }

  private environment(): Record<string, string> {
    return {
      KEELSON_AGENT_NAME: this.name,
      KEELSON_ENGINES: this.engine.tcpAddress,
      ...(this.engine.joinTokenFile ? { KEELSON_JOIN_TOKEN_FILE: this.engine.joinTokenFile } : {}),
      KEELSON_STATE_DIR: this.stateDir,
      KEELSON_LOG_FORMAT: 'json',
    }
  }
}
