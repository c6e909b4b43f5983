import type { CertificateGrant } from '../wire/enrolment.js'
import {
  type Close,
  CommandMessage,
  type FloorMessage,
  type GoodbyeMessage,
  type Hello,
  type InventoryItem,
  MAX_BATCH,
  MAX_FRAME_CHARS,
  type Observation,
  type Permit,
  PROTOCOL,
  patterns,
  type Report,
  type ReportsAcknowledged,
  UUID,
  type Welcome,
} from '../wire/session.js'
import { parseWire } from '../wire/validate.js'
import { type EngineConnection, isRefusal } from './engine-connection.js'
import type { Logger } from './logger.js'
import { RefusedError } from './refused-error.js'
import type { Session } from './session.js'

export type SessionEndKind =
  | 'unreachable'
  | 'closed'
  | 'silent'
  | 'unavailable'
  | 'refused'
  | 'stale'
  | 'draining'
  | 'fenced'
  | 'removed'
  | 'stopped'

export interface SessionEnd {
  readonly kind: SessionEndKind
  readonly detail?: string
}

export type UnreadableCommand = Pick<CommandMessage, 'id' | 'seq'>

/** What a session is for: the agent behind it. */
export interface SessionHost {
  hello(): Hello | Promise<Hello>
  /** What must be on disk before anything else happens. */
  onWelcome(welcome: Welcome): void | Promise<void>
  onCommand(command: CommandMessage): void
  /** A command that this agent cannot read, as far as it says which one it is: the plane waits for its end. */
  onUnreadable(command: UnreadableCommand, error: Error): void
  onFloor(floor: number): void
  inventory(): Iterable<InventoryItem> | AsyncIterable<InventoryItem>
}

export interface SessionTiming {
  readonly dialMs: number
  /** For the answer to a hello and to each call. */
  readonly callMs: number
}

/** The life of one session: hello, welcome, inventory; then commands and heartbeats until it ends. */
export class OpenSession implements Session {
  epoch = 0
  readonly ended: Promise<SessionEnd>
  private resolveEnded!: (end: SessionEnd) => void
  private resolveWelcome!: (welcome: Welcome) => void
  private readonly welcomed = new Promise<Welcome>((resolve) => {
    this.resolveWelcome = resolve
  })
  private timer: NodeJS.Timeout | null = null
  private beating = false
  private frozen = false
  private resume: () => void = () => undefined
  private over = false

  constructor(
    readonly address: string,
    private readonly connection: EngineConnection,
    private readonly host: SessionHost,
    private readonly timing: SessionTiming,
    private readonly logger: Logger,
  ) {
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve
    })
  }

  /** @returns the welcome once the engine knows all that this host holds; null when the session ended before that. */
  async start(): Promise<Welcome | null> {
    const hello = await this.host.hello()
    this.timer = setTimeout(() => this.end({ kind: 'unreachable', detail: 'no welcome' }), this.timing.callMs).unref()
    this.connection.stream(patterns.open, hello, {
      next: (message) => this.receive(message),
      end: (error) => this.end({ kind: 'closed', detail: error?.message ?? 'the engine ended the session' }),
    })
    const welcome = await Promise.race([this.welcomed, this.ended.then(() => null)])
    if (welcome === null) return null
    if (welcome.epoch <= hello.epoch) {
      this.end({ kind: 'stale', detail: `epoch ${welcome.epoch} was offered, ${hello.epoch} was seen` })
      return null
    }
    await this.host.onWelcome(welcome)
    await this.sendInventory()
    this.resume = () => this.beat(welcome.heartbeatMs, welcome.silenceMs)
    if (!this.frozen) this.resume()
    return this.over ? null : welcome
  }

  /** Neither speaks nor listens, and closes nothing, as when the process is stopped: for simulated hosts. */
  freeze(): void {
    if (this.over || this.frozen) return
    this.frozen = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.connection.freeze()
  }

  /** The timers come first, as they do in a process that wakes up: a silence that was too long ends the session. */
  thaw(): void {
    if (this.over || !this.frozen) return
    this.frozen = false
    this.resume()
    if (!this.over) this.connection.thaw()
  }

  async permit(commandId: string): Promise<Permit> {
    const answer = await this.call(patterns.permit, { epoch: this.epoch, commandId })
    const { granted, reason } = (answer ?? {}) as Partial<Permit>
    if (typeof granted !== 'boolean') throw new Error('the engine answered a permit request with something else')
    return { granted, reason }
  }

  async report(reports: readonly Report[]): Promise<readonly string[]> {
    const answer = await this.call(patterns.report, { epoch: this.epoch, reports })
    const { acknowledged } = (answer ?? {}) as Partial<ReportsAcknowledged>
    if (!Array.isArray(acknowledged)) throw new Error('the engine answered reports with something else')
    return acknowledged
  }

  async observe(observations: readonly Observation[]): Promise<void> {
    await this.call(patterns.observe, { epoch: this.epoch, observations })
  }

  async renew(csr: string): Promise<CertificateGrant> {
    const answer = await this.call(patterns.renew, { epoch: this.epoch, csr })
    const { certificate, authorities } = (answer ?? {}) as Partial<CertificateGrant>
    if (typeof certificate !== 'string' || !Array.isArray(authorities))
      throw new Error('the engine answered a certificate request with something else')
    return { certificate, authorities }
  }

  /** Says farewell, for as long as that takes at the most, and ends. */
  async leave(reason: Close['reason'], limitMs: number): Promise<void> {
    const farewell: Close = { epoch: this.epoch, reason }
    if (this.epoch > 0 && !this.over) {
      await this.connection.call(patterns.close, farewell, limitMs).catch((error: unknown) => {
        this.logger.debug({ err: error }, 'the farewell was not answered')
      })
    }
    this.end({ kind: 'stopped' })
  }

  end(end: SessionEnd): void {
    if (this.over) return
    this.over = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.resolveEnded(end)
    this.connection.close()
  }

  private receive(message: unknown): void {
    if (this.over) return
    if (isRefusal(message)) {
      this.end(refusedBy(message.code, message.message))
      return
    }
    const type = (message as { type?: unknown } | null)?.type
    const receiver = typeof type === 'string' ? this.receivers[type] : undefined
    if (receiver === undefined) this.logger.warn({ type }, 'the engine sent something unknown: ignored')
    else receiver(message as object)
  }

  private readonly receivers: Readonly<Record<string, ((message: object) => void) | undefined>> = {
    welcome: (message) => {
      if (!isWelcome(message)) return this.end({ kind: 'refused', detail: 'the welcome is not valid' })
      if (this.epoch > 0) return
      this.epoch = message.epoch
      if (this.timer !== null) clearTimeout(this.timer)
      this.resolveWelcome(message)
    },
    command: (message) => {
      try {
        this.take(message)
      } catch (error) {
        this.logger.error({ err: error }, 'a command could not be taken')
      }
    },
    floor: (message) => {
      const { floor } = message as FloorMessage
      if (Number.isSafeInteger(floor)) this.host.onFloor(floor)
    },
    goodbye: (message) => {
      const { reason, detail } = message as GoodbyeMessage
      const known: readonly SessionEndKind[] = ['draining', 'fenced', 'removed', 'refused']
      this.end({ kind: known.includes(reason) ? reason : 'closed', detail })
    },
  }

  private take(message: object): void {
    let command: CommandMessage
    try {
      command = parseWire(CommandMessage, message)
    } catch (error) {
      if (isNumbered(message)) this.host.onUnreadable({ id: message.id, seq: message.seq }, error as Error)
      throw error
    }
    this.host.onCommand(command)
  }

  private async sendInventory(): Promise<void> {
    let items: InventoryItem[] = []
    let chars = 0
    for await (const item of this.host.inventory()) {
      const length = JSON.stringify(item).length
      if (items.length > 0 && (items.length === MAX_BATCH || chars + length > MAX_FRAME_CHARS / 2)) {
        await this.call(patterns.inventory, { epoch: this.epoch, items, last: false })
        items = []
        chars = 0
      }
      items.push(item)
      chars += length
    }
    await this.call(patterns.inventory, { epoch: this.epoch, items, last: true })
  }

  private async call(pattern: object, data: object): Promise<unknown> {
    try {
      return await this.connection.call(pattern, data, this.timing.callMs)
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'fenced') this.end({ kind: 'fenced', detail: error.message })
      throw error
    }
  }

  /** One timer serves heartbeats and silence: it fires when the next of the two is due. */
  private beat(heartbeatMs: number, silenceMs: number): void {
    if (this.over) return
    const silentForMs = performance.now() - this.connection.lastHeardMs
    if (silentForMs >= silenceMs) {
      this.end({ kind: 'silent', detail: `nothing was heard for ${Math.round(silentForMs)} ms` })
      return
    }
    if (!this.beating) void this.sendHeartbeat()
    const dueMs = Math.max(1, Math.min(heartbeatMs, silenceMs - silentForMs))
    this.timer = setTimeout(() => this.beat(heartbeatMs, silenceMs), dueMs).unref()
  }

  private async sendHeartbeat(): Promise<void> {
    this.beating = true
    try {
      await this.call(patterns.heartbeat, { epoch: this.epoch })
    } catch (error) {
      if (!this.over) this.logger.debug({ err: error }, 'a heartbeat was not answered')
    } finally {
      this.beating = false
    }
  }
}

/** Refusals that another replica, or a later try, may lift. */
const passing: readonly string[] = ['unavailable', 'draining', 'internal']

function refusedBy(code: string, message: string): SessionEnd {
  const kind = code === 'fenced' ? 'fenced' : passing.includes(code) ? 'unavailable' : 'refused'
  return { kind, detail: `${code}: ${message}` }
}

function isNumbered(message: object): message is UnreadableCommand {
  const { id, seq } = message as Partial<UnreadableCommand>
  return typeof id === 'string' && UUID.test(id) && Number.isSafeInteger(seq) && seq! >= 1
}

function isWelcome(message: object): message is Welcome {
  const { epoch, incarnation, protocol, heartbeatMs, silenceMs, floor, addresses, settings } =
    message as Partial<Welcome>
  return (
    [epoch, heartbeatMs, silenceMs].every((value) => Number.isSafeInteger(value) && value! > 0) &&
    Number.isSafeInteger(floor) &&
    typeof incarnation === 'string' &&
    typeof protocol === 'number' &&
    protocol >= PROTOCOL.oldest &&
    protocol <= PROTOCOL.current &&
    Array.isArray(addresses) &&
    typeof settings === 'object' &&
    settings !== null
  )
}
