import { isDeepStrictEqual } from 'node:util'
import { Backoff, type BackoffRange } from '../backoff.js'
import { FaultError, faultOf } from '../fault.js'
import type { Logger } from '../logger.js'
import { type BalancingDevice, requireDriver } from './devices.js'
import type { BalancerDriver } from './driver.js'
import { type HoldView, nothingSeen, type Seen } from './held.js'
import { Lane } from './lane.js'
import type { BalancingState, StoredBalancer, Version } from './state.js'
import { Telling, type TellingOptions } from './telling.js'
import { isFenced, isOnNetwork, samePlace, wantedOf } from './version.js'
import { followed, within } from './waits.js'
import { wholeSighting } from './whole-sighting.js'
import { vipWithdrawn, Withdrawal, withoutSession } from './withdrawal.js'

export interface BalancerOptions extends TellingOptions {
  readonly state: BalancingState
  readonly devices: readonly BalancingDevice[]
  readonly logger: Logger
  /** False: this host has been alone for too long to have VIPs. */
  readonly mayHaveVips: () => boolean
  readonly takeDown: (balancerId: string) => Promise<void>
  readonly retry: BackoffRange
}

const OBSERVE_MS = 15_000
/** For what is tried again without a command that has a deadline of its own. */
const RETRY_MS = 60_000
const nothing: StoredBalancer = { inForce: null, trying: null, leaving: false }
/**
 * One balancer's life on this host. What is asked of a device is on disk before the device hears of it, and what it has said
 * yes to after that: whatever was open when the agent went down is asked once more, and ends in what was wanted last.
 */
export class Balancer {
  private readonly lane = new Lane()
  private readonly retries: Backoff
  private readonly telling: Telling
  private retryAtMs = 0
  /** Of what is tried again without being asked: a command goes first. */
  private background: AbortController | null = null
  private seen: Seen = nothingSeen
  /** A look that took too long, and is not over yet. */
  private looking = false
  private readonly withdrawal = new Withdrawal()
  private stopped = false
  /** What is being written down: it counts as had. */
  private arriving: Version | null = null

  constructor(
    readonly id: string,
    private readonly options: BalancerOptions,
  ) {
    this.retries = new Backoff(options.retry)
    this.telling = new Telling(id, options)
  }

  get view(): HoldView {
    return { id: this.id, stored: this.stored, seen: this.seen, withdrawn: this.withdrawal.isOn }
  }

  /** Nothing of it is here, and nothing is asked for. */
  get isNothing(): boolean {
    return !this.lane.busy && isDeepStrictEqual(this.stored, nothing)
  }

  /** Its VIP is this host's to take down. An appliance has its own, and shuts out who is no longer in charge. */
  get hasOwnVip(): boolean {
    const { inForce, trying } = this.stored
    return [inForce, trying, this.arriving].some(isOnNetwork)
  }

  apply(wanted: Version, signal: AbortSignal): Promise<void> {
    this.background?.abort()
    this.retryAtMs = 0
    return this.lane.run(async () => {
      if (isOnNetwork(wanted) && !this.options.mayHaveVips()) throw withoutSession()
      this.withdrawal.sayAgain()
      const ended = this.withdrawal.endingBy()
      this.arriving = wanted
      try {
        await this.leaveFormerPlace(wanted, signal)
        await this.store({ ...this.stored, trying: wanted, leaving: false })
        if (this.mustStayDown) throw withoutSession()
        await this.attempt(wanted, signal, ended)
      } finally {
        this.arriving = null
      }
    })
  }

  /** @returns whether there was one */
  remove(place: Pick<Version, 'provider' | 'device'>, signal: AbortSignal): Promise<boolean> {
    this.background?.abort()
    return this.lane.run(async () => {
      const { inForce, trying } = this.stored
      const driver = this.driverOf(place)
      const held = inForce !== null || trying !== null
      const there = held || (await driver.list()).includes(this.id)
      if (held) await this.store({ ...this.stored, leaving: true })
      await this.clear(driver, signal, place.device.epoch)
      for (const other of [inForce, trying]) if (other && !samePlace(other, place)) await this.clearAt(other, signal)
      await this.store(nothing)
      return there
    })
  }

  /** What is open is tried again, what is in force is looked at. A balancer that is being changed is left alone. */
  async tend(): Promise<void> {
    if (this.stopped || this.lane.busy || this.looking) return
    const { inForce, trying, leaving } = this.stored
    const isDue = this.options.now() >= this.retryAtMs
    if (this.mustStayDown) await this.keepDown()
    else if (leaving && isDue) this.again((signal) => this.goOnLeaving(signal))
    else if (trying !== null && isDue) this.again((signal) => this.attempt(trying, signal))
    else if (inForce === null || leaving) return
    else if (!this.withdrawal.isOn) await this.lane.run(() => this.look(inForce))
    // what was said anew was refused: what is in force goes on
    else if (isDue) this.again((signal) => this.attempt(inForce, signal))
  }

  /** Its VIP answers nobody from now on, whatever is under way: what that brings up is taken down behind it. */
  async withdraw(): Promise<void> {
    if (!this.hasOwnVip) return
    const wasBusy = this.lane.busy
    this.withdrawal.begin()
    this.background?.abort()
    await this.keepDown()
    if (wasBusy) void this.lane.run(() => (this.withdrawal.isOn ? this.takeDown() : Promise.resolve()))
  }

  /**
   * This host is in a session: its VIP lives on. One that is gone, as its time was over before a new agent was in a session, comes
   * back as what was in force.
   * @param renewed whether it was still up
   */
  async renew(renewed: () => Promise<boolean>): Promise<void> {
    if (this.stopped || this.withdrawal.isOn || (await renewed())) return
    this.again(async (signal) => {
      const { inForce, trying, leaving } = this.stored
      if (inForce === null || trying !== null || leaving || !isOnNetwork(inForce)) return
      if (!this.stopped && !this.withdrawal.isOn && this.options.mayHaveVips()) await this.attempt(inForce, signal)
    })
  }

  /** What it does without being asked ends; what runs stays (S7). */
  stop(): void {
    this.stopped = true
    this.background?.abort()
  }

  private get mustStayDown(): boolean {
    const { isOn, holds } = this.withdrawal
    return holds || (isOn && !this.options.mayHaveVips())
  }

  private get stored(): StoredBalancer {
    return this.options.state.balancers.get(this.id) ?? nothing
  }

  private async attempt(wanted: Version, signal: AbortSignal, ended = this.withdrawal.endingBy()): Promise<void> {
    if (isOnNetwork(wanted) && !this.options.mayHaveVips()) throw withoutSession()
    const driver = this.driverOf(wanted)
    try {
      await followed(await driver.apply(wantedOf(wanted), signal), () => driver.progress(this.id), signal)
    } catch (error) {
      this.withdrawal.isDown = false
      // the device's no; what was cut off, or lost its answer, may be in force or not, and is asked again
      if (!(error instanceof FaultError) || signal.aborted) this.later()
      else if (this.stored.trying !== null) await this.store({ ...this.stored, trying: null })
      throw error
    }
    this.retries.reset()
    await this.inForceFromNowOn(wanted)
    setImmediate(() => void this.tend().catch((error: unknown) => this.warn(error)))
    if (!ended() && isOnNetwork(wanted)) throw withoutSession()
  }

  /** The device has it: a disk that is full now means that it is asked once more after the next start. */
  private async inForceFromNowOn(wanted: Version): Promise<void> {
    const { state, logger } = this.options
    if (this.stored.inForce === wanted && this.stored.trying === null) return
    const next: StoredBalancer = { inForce: wanted, trying: null, leaving: false }
    await this.store(next).catch((error: unknown) => {
      logger.error({ err: error, loadBalancerId: this.id }, 'what is in force could not be written down')
      state.balancers.set(this.id, next)
    })
  }

  /** A VIP must not be up at two places. */
  private async leaveFormerPlace(wanted: Version, signal: AbortSignal): Promise<void> {
    const { inForce, trying } = this.stored
    for (const former of [inForce, trying]) {
      if (former === null || samePlace(former, wanted)) continue
      await this.clearAt(former, signal)
      await this.store(nothing)
    }
  }

  private async goOnLeaving(signal: AbortSignal): Promise<void> {
    const { inForce, trying } = this.stored
    for (const version of [inForce, trying]) if (version !== null) await this.clearAt(version, signal)
    await this.store(nothing)
  }

  private clearAt(place: Version, signal: AbortSignal): Promise<void> {
    return this.clear(this.driverOf(place), signal, place.device.epoch)
  }

  /** What is in another agent's hands is nothing of ours any more. */
  private async clear(driver: BalancerDriver, signal: AbortSignal, deviceEpoch: number): Promise<void> {
    try {
      await followed(await driver.remove(this.id, signal, deviceEpoch), () => driver.progress(this.id), signal)
    } catch (error) {
      if (!isFenced(error)) throw error
    }
  }

  /** Nobody waits for it: what goes wrong is seen, and tried again later. */
  private again(work: (signal: AbortSignal) => Promise<void>): void {
    const background = new AbortController()
    this.background = background
    void this.lane
      .run(() => this.tryAgain(work, background))
      .finally(() => {
        if (this.background === background) this.background = null
      })
  }

  private async tryAgain(work: (signal: AbortSignal) => Promise<void>, background: AbortController): Promise<void> {
    if (background.signal.aborted || this.mustStayDown) return
    try {
      await work(AbortSignal.any([background.signal, AbortSignal.timeout(RETRY_MS)]))
    } catch (error) {
      if (background.signal.aborted) return
      this.later()
      this.warn(error)
      if (this.stored.inForce !== null) this.see({ ...this.seen, status: 'ERROR', fault: faultOf(error) })
    }
  }

  private async look(inForce: Version): Promise<void> {
    if (this.withdrawal.isOn) return
    try {
      const look = this.driverOf(inForce).observe(wantedOf(inForce))
      this.looking = true
      const over = () => {
        this.looking = false
      }
      look.then(over, over)
      const sighting = await within(OBSERVE_MS, 'the look at it', look)
      if (sighting !== null) return this.see(wholeSighting(inForce.balancer, sighting))
      // it went with a boot of the host, or by somebody's hand
      if (this.options.now() < this.retryAtMs) return
      this.later()
      this.again((signal) => this.attempt(inForce, signal))
    } catch (error) {
      if (isFenced(error)) return await this.store(nothing)
      this.see({ ...this.seen, status: 'UNKNOWN', fault: faultOf(error) })
    }
  }

  private async keepDown(): Promise<void> {
    this.see(vipWithdrawn)
    if (!this.withdrawal.isDown) await this.takeDown()
  }

  private async takeDown(): Promise<void> {
    try {
      await this.options.takeDown(this.id)
      this.withdrawal.isDown = true
    } catch (error) {
      this.options.logger.error({ err: error, loadBalancerId: this.id }, 'a VIP could not be taken down: tried again')
    }
  }

  private see(next: Seen): void {
    this.seen = next
    this.telling.tell(this.stored.inForce?.generation ?? 0, next)
  }

  private warn(error: unknown): void {
    this.options.logger.warn({ err: error, loadBalancerId: this.id }, 'a load balancer is not as it is wanted')
  }

  private later(): void {
    this.retryAtMs = this.options.now() + this.retries.nextMs()
  }

  private driverOf({ provider, device }: Pick<Version, 'provider' | 'device'>): BalancerDriver {
    return requireDriver(this.options.devices, provider, device.name)
  }

  private async store(stored: StoredBalancer): Promise<void> {
    try {
      await this.options.state.set(this.id, isDeepStrictEqual(stored, nothing) ? null : stored)
    } catch (error) {
      throw new FaultError('state-not-written', `the host's state cannot be written: ${(error as Error).message}`)
    }
  }
}
