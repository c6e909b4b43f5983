import { hostname } from 'node:os'
import type { Logger } from '../agent/logger.js'
import { fault } from './fault-codes.js'
import type { Lives } from './whiteboard/lives.js'
import type { Whiteboard } from './whiteboard/whiteboard.js'

const LOOK_EVERY_MS = 10_000

export interface HostLockOptions {
  /** Configured; null: none. */
  readonly hostId: number | null
  readonly whiteboard: Whiteboard
  readonly lives: Lives
  readonly logger: Logger
  readonly name?: string
}

/**
 * The claim to a host id. The id is configured (B2), and no call can make the broker another host; what a claim finds out is
 * whether somebody else lives under the same id, by the whiteboard, which is looked at while it is watched.
 */
export class HostLock {
  private timer: NodeJS.Timeout | null = null
  private readonly name: string

  constructor(private readonly options: HostLockOptions) {
    this.name = options.name ?? hostname()
  }

  /** @throws XmlRpcFault hostIdMismatch, hostIdInUse, storageUnavailable, storageStuck */
  async claim(hostId: number): Promise<void> {
    this.requireOwn(hostId)
    await this.look()
    const other = this.options.lives.nameOf(hostId, performance.now())
    if (other !== null && other !== this.name) throw fault('hostIdInUse', `${other} lives with host id ${hostId}`)
  }

  /** Nothing is held that others would see: a claim is a look. */
  release(): void {}

  /** @throws XmlRpcFault hostIdMismatch */
  watch(hostId: number): void {
    this.requireOwn(hostId)
    this.timer ??= setInterval(() => void this.look().catch(() => undefined), LOOK_EVERY_MS)
    // a storage that hangs is seen by whoever asks for it
    void this.look().catch((error: unknown) => this.options.logger.warn({ err: error }, 'the whiteboard was not read'))
  }

  unwatch(): void {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
  }

  reset(): void {
    this.unwatch()
  }

  private async look(): Promise<void> {
    this.options.lives.note(await this.options.whiteboard.read(), performance.now())
  }

  private requireOwn(hostId: number): void {
    const { hostId: own } = this.options
    if (own === hostId) return
    const told = own === null ? 'no host id is configured' : `this host is configured as ${own}`
    throw fault('hostIdMismatch', `host id ${hostId}: ${told}`)
  }
}
