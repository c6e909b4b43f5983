import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { enrol, requireJoinToken } from '../agent/enrol.js'
import { type HostIdentity, readIdentity, writeIdentity } from '../agent/identity.js'
import { configuredToken } from '../agent/join.js'
import { JoinError } from '../agent/join-error.js'
import type { Logger } from '../agent/logger.js'
import type { SimulationConfig } from './config.js'
import { Turns } from './turns.js'

/** Where simulated hosts have their certificates from. */
export interface Identities {
  /** Waits for as long as no engine answers; null when it is stopped meanwhile. */
  of(hostName: string): Promise<HostIdentity | null>
  renewed(identity: HostIdentity): Promise<void>
  stop(): void
}

/** As many as an engine certifies side by side; more would only wait there. */
const AT_ONCE = 8
const RETRY_MS = 1_000
const RETRY_SPREAD_MS = 2_000

/** @throws JoinError where no join token is configured, or it is none */
export async function enrolling(config: SimulationConfig, logger: Logger): Promise<Identities> {
  const token = await configuredToken(config)
  if (token === null) {
    throw new JoinError(
      78,
      'simulated hosts join as others do: set joinTokenFile (KEELSON_JOIN_TOKEN_FILE) or KEELSON_JOIN_TOKEN',
    )
  }
  requireJoinToken(token)
  return new EnrolledIdentities(token, config.stateDir, logger)
}

/** Each host is enrolled once, a few at a time; without a directory, anew with each simulation. */
class EnrolledIdentities implements Identities {
  private readonly stopping = new AbortController()
  private readonly turns = new Turns(AT_ONCE)

  constructor(
    private readonly token: string,
    private readonly stateDir: string | null,
    private readonly logger: Logger,
  ) {}

  async of(hostName: string): Promise<HostIdentity | null> {
    const directory = await this.directoryOf(hostName)
    const known = directory && (await readIdentity(directory))
    if (known) return known
    const identity = await Promise.race([this.enrol(hostName), this.stopped()])
    if (identity && directory) await writeIdentity(directory, identity)
    return identity
  }

  async renewed(identity: HostIdentity): Promise<void> {
    const directory = await this.directoryOf(identity.name)
    if (directory) await writeIdentity(directory, identity)
  }

  stop(): void {
    this.stopping.abort()
  }

  private stopped(): Promise<null> {
    return new Promise((resolve) => this.stopping.signal.addEventListener('abort', () => resolve(null)))
  }

  private async enrol(hostName: string): Promise<HostIdentity | null> {
    while (!this.stopping.signal.aborted) {
      try {
        return await this.turns.pass(() => enrol(hostName, this.token))
      } catch (error) {
        // what will not pass is left to the caller
        if (error instanceof JoinError && error.exitCode === 78) throw error
        this.logger.warn({ err: error, host: hostName }, 'a host could not join yet: trying again')
        await pause(RETRY_MS + Math.random() * RETRY_SPREAD_MS)
      }
    }
    return null
  }

  /** Beside the disk of the host, which faults put back and lose: who it is stays. */
  private async directoryOf(hostName: string): Promise<string | null> {
    if (this.stateDir === null) return null
    const directory = join(this.stateDir, hostName)
    await mkdir(directory, { recursive: true, mode: 0o700 })
    return directory
  }
}
