import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import { type ReadArguments, type StorageOptions, sameOptions } from '../../wire/storage/arguments.js'
import { kindOf } from '../../wire/storage/kinds.js'
import { Backoff } from '../backoff.js'
import { FaultError, faultOf } from '../fault.js'
import type { Grip, Means, ProbeResult } from './driver.js'
import { credentialsLost, leftAsItIs, StuckError, StuckProbe, saysMore, whyNotAnew } from './faults.js'
import { OwnNeeds, type OwnView } from './own-needs.js'
import { ResetRequests } from './reset-requests.js'
import { LONG_MS, Sleeper } from './sleeper.js'
import type { StoredTarget } from './state.js'
import type { TargetOptions } from './target-options.js'
import { TargetRecord } from './target-record.js'
import { WaitingChange } from './waiting-change.js'
import { Wants } from './wants.js'

type Wanted = Means & Pick<ReadArguments, 'missing'>
type Step = 'look' | 'connect' | 'reconnect' | 'reset' | 'probe' | 'disconnect' | 'finish'

/**
 * One actual target and all that happens to it, one step after the other: what to do next follows from what is wanted
 * (ids that hold it) and what is, never from the order of requests. A manage that comes during a disconnect thus waits
 * for that one step, and wins.
 */
export class Target {
  status: StorageOperatingStatus = 'CONNECTING'
  fault: Fault | null = null
  faultAt: string | null = null
  /** Null: to be looked at, for what is connected is not known. */
  private ownership: StoredTarget['ownership'] | null = null
  private connected = false
  /** Connected, but of no use, and why: to be connected anew. */
  private broken: Fault | null = null
  private stuck = false
  /** The probe that hangs: beside it another one would, too. */
  private hung: StuckProbe | null = null
  private probeSoon = false
  private connectedWith: StorageOptions = {}
  private readonly record: TargetRecord
  /** Of the ids that hold it. */
  readonly wants: Wants<Wanted>
  private readonly change: WaitingChange
  private readonly needs = new OwnNeeds()
  private readonly resets = new ResetRequests()
  private readonly backoff: Backoff
  private readonly stopping = new AbortController()
  private readonly sleeper = new Sleeper(this.stopping.signal)
  private living: Promise<void> | null = null

  constructor(
    readonly key: string,
    wanted: Wanted,
    readonly options: TargetOptions<Target>,
  ) {
    const range = options.backoff ?? { baseMs: 1000, maxMs: 60_000 }
    this.backoff = new Backoff(range, options.random)
    this.change = new WaitingChange(new Backoff(range, options.random))
    this.wants = new Wants(wanted)
    this.record = new TargetRecord(key, options)
  }

  get preexisting(): boolean {
    return this.ownership === 'preexisting'
  }

  start(): void {
    this.living ??= this.live()
  }

  /** The newest credentials are those that the next connecting takes; what is up stays up with the old ones. */
  hold(id: string, { own, ...wanted }: Omit<ReadArguments, 'uri'>): void {
    const isOther = !sameOptions(wanted.options, this.wants.newest.options)
    this.wants.want(id, wanted)
    if (isOther) this.change.end()
    const asksMore = this.needs.ask(id, own)
    if (asksMore || this.status !== 'UP') this.probeSoon = true
    this.sleeper.wake()
  }

  release(id: string): void {
    this.wants.drop(id)
    this.needs.drop(id)
    this.sleeper.wake()
  }

  /** What this id sees: it may lack something that the others do not ask for. */
  viewOf(id: string): OwnView {
    const { status, fault, faultAt } = this
    const own = status === 'UP' || status === 'DEGRADED' ? this.needs.viewOf(id) : null
    return own ?? { status, fault, faultAt }
  }

  /**
   * Disconnects and connects once; not any more when `signal` fires before it has begun. @returns the status after that.
   * @throws FaultError when it cannot be connected.
   */
  reset(signal: AbortSignal): Promise<StorageOperatingStatus> {
    const done = this.resets.add(signal)
    this.sleeper.wake()
    return done
  }

  /** Ends after the step that is under way; what is connected stays so (S7). */
  async stop(): Promise<void> {
    this.stopping.abort()
    this.sleeper.wake()
    await this.living
  }

  private async live(): Promise<void> {
    let gone = false
    while (!gone && !this.stopping.signal.aborted) {
      this.sleeper.listen()
      const step = this.next()
      try {
        await this.steps[step]()
        gone = step === 'finish' && this.wants.ids.length === 0
      } catch (error) {
        if (!this.stopping.signal.aborted) await this.failed(step, error)
      }
    }
    for (const { reject } of this.resets.take()) reject(new FaultError('stopped', 'the agent stops'))
    if (gone) this.options.onGone(this)
  }

  private next(): Step {
    if (this.ownership === null) return 'look'
    if (this.wants.ids.length === 0) return this.connected && this.ownership === 'ours' ? 'disconnect' : 'finish'
    if (this.resets.some) return 'reset'
    if (!this.connected) return 'connect'
    if (this.ownership === 'preexisting') return 'probe'
    return this.broken !== null || (this.isToChange && this.change.isDue) ? 'reconnect' : 'probe'
  }

  private get isToChange(): boolean {
    return !sameOptions(this.connectedWith, this.wants.newest.options)
  }

  private readonly steps: { readonly [S in Step]: () => Promise<void> } = {
    look: () => this.look(),
    connect: async () => {
      await this.connect()
      await this.probeConnected()
    },
    reconnect: async () => {
      await this.disconnect('gently')
      await this.connect()
      await this.probeConnected()
    },
    reset: () => this.resetNow(),
    probe: async () => {
      if (!this.probeSoon) await this.sleeper.sleep(this.options.settings.probeIntervalMs)
      // Woken for something else: that comes first.
      if (!this.sleeper.woken || this.probeSoon) await this.probe()
    },
    disconnect: async () => {
      // what was wrong with it while it was wanted is no reason why it is not gone
      this.show('DISCONNECTING', this.status === 'DISCONNECTING' || this.status === 'STUCK' ? this.fault : null)
      await this.disconnect(this.stuck ? 'lazily' : 'gently')
    },
    finish: async () => {
      await this.record.remove()
      this.ownership = null
    },
  }

  /** What a kernel that has been up for longer than this agent shows, and who did it. */
  private async look(): Promise<void> {
    const { driver, uri } = this.options
    this.connected = await driver.isConnected(uri)
    this.stuck = false
    const stored = this.record.read()
    this.ownership = stored?.ownership ?? (this.connected ? 'preexisting' : 'ours')
    this.connectedWith = stored?.options ?? this.wants.newest.options
    if (stored === null) await this.record.write(this.ownership, this.connectedWith)
    if (this.connected && this.wants.ids.length > 0) await this.probe()
  }

  private async connect(): Promise<void> {
    const { driver, uri } = this.options
    const obstacle = await driver.obstacle(kindOf(uri))
    if (obstacle !== null) throw new FaultError(obstacle.type, obstacle.message, obstacle.number)
    if (this.status !== 'DOWN') this.show('CONNECTING', this.fault)
    this.ownership = 'ours'
    const wanted = this.wants.newest
    if (wanted.missing.length > 0) throw credentialsLost(wanted.missing)
    this.connectedWith = wanted.options
    await this.record.write('ours', wanted.options)
    // one that fails, or hangs, may have connected it after all
    this.ownership = null
    await driver.connect(uri, wanted)
    this.ownership = 'ours'
    this.change.end()
    this.connected = true
    this.broken = null
  }

  private async disconnect(grip: Grip): Promise<void> {
    await this.options.driver.disconnect(this.options.uri, grip)
    this.connected = false
    this.broken = null
    this.stuck = false
    this.hung = null
  }

  private async probe(): Promise<void> {
    const { driver, uri, settings } = this.options
    const limits = { timeoutMs: settings.probeTimeoutMs, signal: this.stopping.signal, own: this.needs.all }
    this.probeSoon = false
    if (this.hung !== null) throw this.hung
    const probed = driver.probe(uri, this.connectedWith, limits).catch((error: unknown) => {
      if (error instanceof StuckError) this.hung = new StuckProbe(error)
      throw this.hung ?? error
    })
    this.judge(await probed)
  }

  /** A target that connects and is of no use all the same is not tried without a pause. */
  private async probeConnected(): Promise<void> {
    await this.probe()
    if (this.broken !== null || !this.connected) await this.sleeper.sleep(this.backoff.nextMs())
  }

  private judge(result: ProbeResult): void {
    if (this.stopping.signal.aborted) return
    if (result.seen === 'up' || result.seen === 'degraded') this.backoff.reset()
    this.connected = result.seen !== 'lost'
    this.broken = result.seen === 'down' && result.heals !== true ? result.fault : null
    this.stuck = false
    const works = result.seen === 'up' || result.seen === 'degraded'
    const changed = works && this.needs.judge(result.lacks ?? (() => null))
    if (result.seen === 'down' && saysMore(this, result.fault)) return
    const fault = result.seen === 'up' ? this.change.fault : result.fault
    const shown = fault === null ? this.show('UP', null) : this.show(works ? 'DEGRADED' : 'DOWN', fault)
    if (changed && !shown) this.options.onStatus(this)
  }

  private async resetNow(): Promise<void> {
    const resets = this.resets.take()
    try {
      if (this.preexisting) throw leftAsItIs(this.key)
      this.show('CONNECTING', this.fault)
      await this.disconnect(this.stuck ? 'lazily' : 'firmly')
      await this.connect()
      await this.probe()
      for (const { resolve } of resets) resolve(this.status)
    } catch (error) {
      for (const { reject } of resets) reject(error)
      if (!this.preexisting) throw error
      await this.probe()
    }
  }

  /** Shows what went wrong and waits before the next try; a stuck child is waited for, as long as it takes. */
  private async failed(step: Step, error: unknown): Promise<void> {
    const hindrance = faultOf(error)
    const { broken } = this
    // what cannot be let go of is looked at again before the next try: it may have come back by itself
    this.broken = null
    const typed = error instanceof FaultError
    if (!typed) this.options.logger.error({ err: error, target: this.key, step }, 'storage step broke')
    this.probeSoon = true
    const fault = step === 'reconnect' && broken ? whyNotAnew(broken, hindrance) : hindrance
    if (error instanceof StuckError) {
      this.stuck = true
      this.show('STUCK', fault)
      // a probe can be left behind by letting go of the target; a mount cannot
      const isProbe = error instanceof StuckProbe
      const ended = await this.sleeper.sleepUntil(
        error.ended,
        () => isProbe && (this.wants.ids.length === 0 || this.resets.some),
      )
      // looking is cheap: what is mended is seen with the next look
      const longestMs = isProbe || step === 'look' ? this.options.settings.probeIntervalMs : LONG_MS
      if (!ended) return
      this.hung = null
      return this.sleeper.sleep(Math.min(this.backoff.nextMs(), longestMs))
    }
    const changeWaits = step === 'reconnect' && this.connected && this.isToChange
    if (broken !== null || !changeWaits) {
      this.show(step === 'disconnect' ? 'DISCONNECTING' : 'DOWN', fault)
      await this.sleeper.sleep(this.backoff.nextMs())
    }
    if (changeWaits) this.change.hinder(hindrance)
  }

  /** @returns whether that is news */
  private show(status: StorageOperatingStatus, fault: Fault | null): boolean {
    if (this.status === status && this.fault?.message === fault?.message && this.fault?.type === fault?.type)
      return false
    if (fault !== this.fault) this.faultAt = fault === null ? null : new Date().toISOString()
    this.status = status
    this.fault = fault
    const level = fault === null ? 'info' : 'warn'
    this.options.logger[level]({ target: this.key, status, fault: fault?.message }, 'storage target')
    this.options.onStatus(this)
    return true
  }
}
