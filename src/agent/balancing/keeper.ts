import { setImmediate as nextTurn } from 'node:timers/promises'
import type {
  BalancingApplied,
  BalancingApply,
  BalancingCheck,
  BalancingChecked,
  BalancingRemove,
  BalancingRemoved,
  DeviceIntent,
} from '../../wire/balancing/commands.js'
import { subjectKey } from '../../wire/commands.js'
import { type InventoryItem, type Observation, UUID } from '../../wire/session.js'
import type { BackoffRange } from '../backoff.js'
import { FaultError } from '../fault.js'
import type { Logger } from '../logger.js'
import type { VipPlaces } from '../networks/vip-place.js'
import { Pause } from '../pause.js'
import type { CurrentSession } from '../session.js'
import { Slots } from '../slots.js'
import { Balancer } from './balancer.js'
import { reported } from './checked.js'
import { type BalancingDevice, requireDriver } from './devices.js'
import { confirmed, type HeldBalancer, heldBalancer, inventoryItemOf, unknownItem } from './held.js'
import { SelfFence } from './self-fence.js'
import type { BalancingState, Version } from './state.js'
import { VipLeases } from './vip-leases.js'
import { within } from './waits.js'

export interface BalancerSettings {
  observeIntervalMs: number
  selfFenceMs: number
}

export interface BalancerKeeperOptions {
  readonly state: BalancingState
  readonly devices: readonly BalancingDevice[]
  /** Null: this host has no networks to put a VIP on. */
  readonly places: VipPlaces | null
  readonly bootId: string
  readonly current: CurrentSession
  readonly logger: Logger
  readonly onObservation: (observation: Observation) => void
  /** VIPs were taken down, and the plane does not know yet: it is told with the next inventory. */
  readonly renewSession: () => void
  readonly settings?: Partial<BalancerSettings>
  readonly statisticsEveryMs?: number
  readonly retry?: BackoffRange
  /** Milliseconds since the boot. */
  readonly now?: () => number
}

/** What a handler knows of its command beside the payload. */
interface CommandContext {
  readonly generation: number
  readonly signal: AbortSignal
}

const LIST_MS = 5000
/** Balancers that are looked at side by side: a look runs programs, and the host has other work. */
const LOOKS_AT_ONCE = 8
const TAKEN_DOWN_AT_ONCE = 16
const MARK_EVERY_MS = 2000
const SHORTEST_MS = 10
const IDLE_MS = 3_600_000
const STOP_MS = 5000

/** Holds the balancers of this host: what the plane has said last, on disk, and a look at each every few seconds. */
export class BalancerKeeper {
  private readonly balancers = new Map<string, Balancer>()
  private readonly settings: BalancerSettings
  private readonly fence: SelfFence
  private readonly leases: VipLeases
  private readonly takingDown = new Slots(TAKEN_DOWN_AT_ONCE)
  private readonly pause = new Pause()
  private readonly looking = new Slots(LOOKS_AT_ONCE)
  private readonly tended = new Set<Balancer>()
  /** What this agent finds with VIPs that nobody has confirmed since. */
  private readonly notOurs: readonly Balancer[]
  private stopped = false
  private markedMs = Number.NEGATIVE_INFINITY

  constructor(private readonly options: BalancerKeeperOptions) {
    const { state, settings, bootId, current, logger, now } = options
    const selfFenceMs = state.mark?.selfFenceMs ?? 20_000
    this.settings = { observeIntervalMs: 3000, selfFenceMs, ...settings }
    this.leases = new VipLeases(options.places, logger)
    this.leases.last(this.settings.selfFenceMs)
    for (const id of state.balancers.keys()) this.balancers.set(id, this.make(id))
    this.fence = new SelfFence({
      current,
      bootId,
      now,
      mark: state.mark,
      hasVips: () => this.withVips().length > 0,
      selfFenceMs: () => this.settings.selfFenceMs,
      onAlone: () => this.withdraw(this.withVips()),
      onHeard: (nowMs) => {
        this.mark(nowMs)
        if (current.session !== null) this.leases.heard(nowMs, this.withVips())
      },
    })
    const withdrawn = new Set(state.mark?.withdrawn)
    const startsAlone = !this.fence.mayHaveVips
    this.notOurs = this.withVips().filter(({ id }) => startsAlone || withdrawn.has(id))
  }

  /** Takes up what the disk says; what runs as it is wanted is not touched by it. */
  start(): void {
    this.withdraw(this.notOurs)
    this.fence.start()
    void this.run()
  }

  /** Balancers stay as they are: the next start takes them up. */
  async stop(): Promise<void> {
    this.stopped = true
    this.fence.stop()
    this.pause.wake()
    for (const balancer of this.balancers.values()) balancer.stop()
    await this.looking.empty(STOP_MS)
    await this.options.state.markWritten()
    const closed = Promise.all(this.options.devices.map(async ({ driver }) => driver.close?.()))
    await within(STOP_MS, 'the end of the drivers', closed).catch((error: unknown) => {
      this.options.logger.warn({ err: error }, 'what looks after load balancers could not be ended in order')
    })
  }

  /** This host leaves its plane: what had VIPs of networks here may come up elsewhere from now on. */
  async giveUp(): Promise<void> {
    const down = Promise.all(this.withVips().map((one) => one.withdraw()))
    await within(STOP_MS, 'taking the VIPs down', down).catch((error: unknown) => {
      this.options.logger.error({ err: error }, 'not all VIPs are down')
    })
  }

  /** Settings of the plane, by key; those of others are not ours. */
  obey(settings: Readonly<Record<string, number>>): void {
    const { 'balancing.observeIntervalMs': observeIntervalMs, 'balancing.selfFenceMs': selfFenceMs } = settings
    if (observeIntervalMs !== undefined && observeIntervalMs >= SHORTEST_MS)
      this.settings.observeIntervalMs = observeIntervalMs
    if (selfFenceMs !== undefined && selfFenceMs >= SHORTEST_MS) this.settings.selfFenceMs = selfFenceMs
    this.leases.last(this.settings.selfFenceMs)
  }

  async apply(
    { provider, device, balancer, keys = {} }: BalancingApply,
    { generation, signal }: CommandContext,
  ): Promise<BalancingApplied> {
    const driver = requireDriver(this.options.devices, provider, device.name)
    const obstacle = await driver.obstacle()
    if (obstacle !== null) throw new FaultError(obstacle.type, obstacle.message, obstacle.number)
    await this.admit(device)
    // the session that has brought it may not have been shown to all by now
    await nextTurn()
    const wanted: Version = { provider, device: { ...device }, generation, balancer, keys: stringsOf(keys) }
    const one = this.balancerOf(balancer.id)
    try {
      await one.apply(wanted, signal)
    } finally {
      this.forget(one)
      this.fence.watch()
    }
    return {}
  }

  async remove(
    { provider, device, loadBalancerId }: BalancingRemove,
    { signal }: Pick<CommandContext, 'signal'>,
  ): Promise<BalancingRemoved> {
    requireDriver(this.options.devices, provider, device.name)
    await this.admit(device)
    const one = this.balancerOf(loadBalancerId)
    const there = await one.remove({ provider, device }, signal).finally(() => this.forget(one))
    return { outcome: there ? 'removed' : 'absent' }
  }

  async check(
    { provider, device, balancer, keys = {} }: BalancingCheck,
    { generation }: Pick<CommandContext, 'generation'>,
  ): Promise<BalancingChecked> {
    const driver = requireDriver(this.options.devices, provider, device.name)
    return reported(await driver.check({ generation, balancer, keys: stringsOf(keys), deviceEpoch: device.epoch }))
  }

  /** Of what is in force and confirmed. */
  heldGeneration(subject: string): number | undefined {
    const one = this.balancers.get(subjectKey(subject))
    return one && confirmed(one.view)?.generation
  }

  held(): HeldBalancer[] {
    return [...this.balancers.values()].map(({ view }) => heldBalancer(view)).filter((held) => held !== null)
  }

  /** Everything that is held, and what a device has beside that. */
  async inventory(): Promise<InventoryItem[]> {
    const held = [...this.balancers.values()].map(({ view }) => inventoryItemOf(view)).filter((item) => item !== null)
    const known = new Set(held.map(({ subject }) => subject))
    const beside = (await Promise.all(this.options.devices.map((device) => this.listed(device)))).flat()
    const unknown = new Map(beside.map((item) => [item.subject, item]))
    return [...held, ...[...unknown.values()].filter(({ subject }) => !known.has(subject))]
  }

  private async listed({ name, provider, driver }: BalancingDevice): Promise<InventoryItem[]> {
    try {
      const ids = await within(LIST_MS, `the list of ${provider}`, driver.list())
      return ids.filter((id) => UUID.test(id)).map((id) => unknownItem(id, name, provider))
    } catch (error) {
      this.options.logger.warn({ err: error, device: name, provider }, 'what a device has could not be listed')
      return []
    }
  }

  /** L7: whoever has lost a device is heard no more, whatever of it is still on its way. */
  private async admit({ name, epoch }: DeviceIntent): Promise<void> {
    const { state } = this.options
    const seen = state.epochs.get(name) ?? 0
    if (epoch < seen) throw new FaultError('fenced', `device ${name} is at epoch ${seen}: this came with ${epoch}`)
    if (epoch > seen) await state.raiseEpoch(name, epoch)
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      for (const one of this.balancers.values()) {
        if (!this.tended.has(one)) void this.tend(one)
      }
      await this.pause.wait(this.balancers.size > 0 ? this.settings.observeIntervalMs : IDLE_MS)
    }
  }

  /** Where one hangs, the others are looked at all the same. */
  private async tend(one: Balancer): Promise<void> {
    this.tended.add(one)
    await this.looking
      .hold(() => one.tend())
      .catch((error: unknown) => {
        this.options.logger.error({ err: error, loadBalancerId: one.id }, 'a load balancer could not be looked after')
      })
    this.tended.delete(one)
    this.forget(one)
  }

  private withVips(): Balancer[] {
    return [...this.balancers.values()].filter(({ hasOwnVip }) => hasOwnVip)
  }

  private withdraw(those: readonly Balancer[]): void {
    if (those.length === 0) return
    const { logger, current, renewSession } = this.options
    logger.warn({ balancers: those.length }, 'no session for too long: the VIPs of this host are taken down')
    for (const one of those) void one.withdraw()
    this.markedMs = Number.NEGATIVE_INFINITY
    const { mark } = this.options.state
    this.mark(mark?.bootId === this.options.bootId ? mark.heardMs : -this.settings.selfFenceMs)
    if (current.session !== null) renewSession()
  }

  /** Outlives the process, so that one that starts in its place goes on counting. */
  private mark(heardMs: number): void {
    const { state, bootId, logger } = this.options
    const isDue = heardMs - this.markedMs >= Math.min(MARK_EVERY_MS, this.settings.selfFenceMs / 4)
    if (!isDue || (this.markedMs > 0 && this.withVips().length === 0)) return
    this.markedMs = heardMs
    const withdrawn = [...this.balancers.values()].filter((one) => one.view.withdrawn).map(({ id }) => id)
    state.setMark({ bootId, heardMs, selfFenceMs: this.settings.selfFenceMs, withdrawn }).catch((error: unknown) => {
      logger.warn({ err: error }, 'the time of the last session could not be written down')
    })
  }

  private make(id: string): Balancer {
    const { options } = this
    return new Balancer(id, {
      ...options,
      mayHaveVips: () => this.fence.mayHaveVips,
      takeDown: (balancerId) => this.takingDown.hold(async () => options.places?.takeDown(balancerId)),
      statisticsEveryMs: options.statisticsEveryMs ?? 10_000,
      retry: options.retry ?? { baseMs: 1000, maxMs: 60_000 },
      now: () => performance.now(),
    })
  }

  private balancerOf(id: string): Balancer {
    const known = this.balancers.get(id)
    if (known !== undefined) return known
    const one = this.make(id)
    this.balancers.set(id, one)
    if (this.balancers.size === 1) this.pause.wake()
    return one
  }

  private forget(one: Balancer): void {
    if (one.isNothing && this.balancers.get(one.id) === one) this.balancers.delete(one.id)
  }
}

/** The wire promises an object; its values are keys in PEM. */
const stringsOf = (keys: object): Record<string, string> =>
  Object.fromEntries(Object.entries(keys).filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
