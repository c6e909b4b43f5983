import { AddressBook, formatAddress } from './address-book.js'
import { Backoff, type BackoffRange } from './backoff.js'
import type { EngineAddress } from './config.js'
import { KeptCredentials } from './dial-credentials.js'
import { EngineConnection } from './engine-connection.js'
import type { HostIdentity } from './identity.js'
import type { Logger } from './logger.js'
import {
  OpenSession,
  type SessionEnd,
  type SessionEndKind,
  type SessionHost,
  type SessionTiming,
} from './open-session.js'
import { Pause } from './pause.js'
import { CurrentSession } from './session.js'

export interface SessionClientOptions extends SessionHost {
  /** Asked for with each connection: certificates are renewed. */
  readonly identity: () => HostIdentity
  /** The configured ones. */
  readonly addresses: readonly EngineAddress[]
  /** Those that earlier sessions told of. */
  readonly learned?: readonly string[]
  readonly onLearned?: (addresses: readonly string[]) => void
  readonly logger: Logger
  readonly backoff?: BackoffRange
  /** A session that lived this long was a good one: the delays start anew. */
  readonly settledMs?: number
  readonly timing?: Partial<SessionTiming>
  readonly random?: () => number
  /** Thousands of simulated hosts share one core, and connect a few at a time. */
  readonly inTurn?: <T>(connect: () => Promise<T>) => Promise<T>
}

export interface SessionStatus {
  readonly state: 'connected' | 'connecting' | 'waiting' | 'stopped'
  readonly address: string | null
  readonly epoch: number | null
  /** ISO 8601. */
  readonly since: string
  /** Why the last session, or the last attempt, ended. */
  readonly lastEnd: string | null
}

type Next = 'at-once' | 'later' | 'much-later'

/** What follows the end of a session: `at-once` goes to another address, if there is one. */
const afterEnd: Readonly<Record<SessionEndKind, Next>> = {
  unreachable: 'later',
  closed: 'at-once',
  silent: 'at-once',
  draining: 'at-once',
  unavailable: 'later',
  stale: 'later',
  // Another session of this agent exists; whoever it is must not be fought over.
  fenced: 'later',
  refused: 'much-later',
  removed: 'much-later',
  stopped: 'later',
}

/** Ends before a session was open that say: no replica of this plane is there. */
const gone: ReadonlySet<SessionEndKind> = new Set(['unreachable', 'closed', 'refused'])

const AT_ONCE_EVERY_MS = 5000
const AT_ONCE_SPREAD_MS = 250
const FENCED_MS = 1000
const FAREWELL_MS = 2000

/** Keeps one session open with any replica that answers: at most one at a time, for as long as it is not stopped. */
export class SessionClient {
  readonly current = new CurrentSession()
  private readonly book: AddressBook
  private readonly backoff: Backoff
  private readonly pause = new Pause()
  private readonly random: () => number
  private readonly timing: SessionTiming
  private session: OpenSession | null = null
  private running: Promise<void> | null = null
  private readonly dialling = new AbortController()
  private stopped = false
  private readonly credentials: KeptCredentials
  private readonly inTurn: NonNullable<SessionClientOptions['inTurn']>
  private lastAtOnceMs = Number.NEGATIVE_INFINITY
  private now: SessionStatus = {
    state: 'stopped',
    address: null,
    epoch: null,
    since: new Date().toISOString(),
    lastEnd: null,
  }

  constructor(private readonly options: SessionClientOptions) {
    this.random = options.random ?? Math.random
    this.credentials = new KeptCredentials(options.identity)
    this.inTurn = options.inTurn ?? ((connect) => connect())
    this.book = new AddressBook(options.addresses, options.learned)
    this.backoff = new Backoff(options.backoff ?? { baseMs: 250, maxMs: 10_000 }, this.random)
    this.timing = { dialMs: 10_000, callMs: 10_000, ...options.timing }
  }

  get status(): SessionStatus {
    return this.now
  }

  start(): void {
    this.running ??= this.run()
  }

  async stop(reason: 'stopping' | 'leaving'): Promise<void> {
    this.stopped = true
    this.dialling.abort()
    this.pause.wake()
    await this.session?.leave(reason, FAREWELL_MS)
    await this.running
  }

  /** Lets the socket go without a word, as a cable that is pulled does; a new session follows unless it is stopped. */
  drop(): void {
    this.session?.end({ kind: 'closed', detail: 'dropped' })
  }

  freeze(): void {
    this.session?.freeze()
  }

  thaw(): void {
    this.session?.thaw()
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const address = this.book.next()
      const startedMs = performance.now()
      const { end, opened } = await this.serve(address)
      if (this.stopped) break
      if (!opened && gone.has(end.kind) && this.book.failed(address)) this.options.onLearned?.(this.book.learned)
      const livedMs = performance.now() - startedMs
      if (opened && livedMs >= (this.options.settledMs ?? 30_000)) this.backoff.reset()
      const delayMs = this.delayMs(end)
      this.say(end, formatAddress(address), delayMs)
      await this.pause.wait(delayMs)
    }
    this.show('stopped', null)
  }

  private async serve(address: EngineAddress): Promise<{ end: SessionEnd; opened: boolean }> {
    const text = formatAddress(address)
    this.show('connecting', text)
    let session: OpenSession | null = null
    try {
      const connection = await this.inTurn(() =>
        this.dial(address, (error) =>
          session?.end({ kind: 'closed', detail: error?.message ?? 'the connection closed' }),
        ),
      )
      this.options.logger.debug({ address: text, resumed: connection.resumed }, 'connected')
      session = new OpenSession(text, connection, this.hostOf(), this.timing, this.options.logger)
    } catch (error) {
      return { end: { kind: 'unreachable', detail: (error as Error).message }, opened: false }
    }
    this.session = session
    if (this.stopped) session.end({ kind: 'stopped' })
    const opened = await this.open(session)
    const end = await session.ended
    this.session = null
    if (opened) this.current.set(null)
    return { end, opened }
  }

  private async dial(address: EngineAddress, onClosed: (error: Error | null) => void): Promise<EngineConnection> {
    if (this.stopped) throw new Error('no longer wanted')
    return EngineConnection.dial(address, this.credentials.next(), this.timing.dialMs, this.dialling.signal, onClosed)
  }

  private async open(session: OpenSession): Promise<boolean> {
    try {
      const welcome = await session.start()
      if (welcome === null) return false
    } catch (error) {
      session.end({ kind: 'unreachable', detail: (error as Error).message })
      return false
    }
    this.show('connected', session.address, session.epoch)
    this.options.logger.info({ address: session.address, epoch: session.epoch }, 'session open')
    this.current.set(session)
    return true
  }

  private hostOf(): SessionHost {
    const { options } = this
    return {
      hello: () => options.hello(),
      inventory: () => options.inventory(),
      onCommand: (command) => options.onCommand(command),
      onUnreadable: (command, error) => options.onUnreadable(command, error),
      onFloor: (floor) => options.onFloor(floor),
      onWelcome: async (welcome) => {
        if (this.book.learn(welcome.addresses)) options.onLearned?.(this.book.learned)
        await options.onWelcome(welcome)
      },
    }
  }

  private delayMs({ kind }: SessionEnd): number {
    const next = afterEnd[kind]
    if (next === 'much-later') return this.backoff.longestMs()
    const now = performance.now()
    if (next === 'at-once' && this.book.all.length > 1 && now - this.lastAtOnceMs > AT_ONCE_EVERY_MS) {
      this.lastAtOnceMs = now
      return this.random() * AT_ONCE_SPREAD_MS
    }
    return Math.max(this.backoff.nextMs(), kind === 'fenced' ? FENCED_MS : 0)
  }

  private say({ kind, detail }: SessionEnd, address: string, delayMs: number): void {
    const lastEnd = detail === undefined ? kind : `${kind}: ${detail}`
    this.now = { ...this.now, lastEnd }
    this.show('waiting', null)
    const level = afterEnd[kind] === 'much-later' ? 'error' : 'warn'
    this.options.logger[level]({ address, kind, detail, delayMs: Math.round(delayMs) }, 'no session: dialling again')
  }

  private show(state: SessionStatus['state'], address: string | null, epoch: number | null = null): void {
    this.now = { state, address, epoch, since: new Date().toISOString(), lastEnd: this.now.lastEnd }
  }
}
