import type { StorageManage, StorageManaged, StorageResetDone, StorageUnmanaged } from '../../wire/commands.js'
import { type StorageOperatingStatus, subjectKey } from '../../wire/commands.js'
import { digestOf } from '../../wire/digest.js'
import type { Fault, InventoryItem, Observation } from '../../wire/session.js'
import { FaultError } from '../fault.js'
import type { Logger } from '../logger.js'
import type { StorageDriver, StorageDrivers, StorageOptions } from './driver.js'
import { badArguments, notRegistered } from './faults.js'
import { idOf, type Origin, originOf, subjectOf } from './holder.js'
import type { KernelConnection } from './kernel.js'
import type { Recognised } from './sightings.js'
import type { StorageState, StoredConnection } from './state.js'
import { Target, type TargetOptions, type TargetSettings } from './target.js'
import { parseStorageUri, type StorageUri } from './uri.js'

export interface KeeperOptions {
  readonly state: StorageState
  readonly drivers: StorageDrivers
  readonly bootId: string
  readonly logger: Logger
  readonly onObservation: (observation: Observation) => void
  /** What is seen of a connection that a program of this host asked for has changed. */
  readonly onOwnChange?: () => void
  readonly random?: () => number
  readonly backoff?: TargetOptions['backoff']
  readonly settings?: Partial<TargetSettings>
}

export interface HeldConnection {
  readonly connectionId: string
  readonly origin: Origin
  readonly uri: string
  readonly target: string
  readonly options: StorageOptions
  readonly generation: number
  readonly status: StorageOperatingStatus
  readonly preexisting: boolean
  readonly fault: Fault | null
  /** ISO 8601. */
  readonly faultAt: string | null
}

export interface LeavingTarget {
  readonly target: string
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
}

/** Many ids, fewer targets: registers ids on disk and leaves connecting to each target's own life. */
export class StorageKeeper {
  private readonly targets = new Map<string, Target>()
  private readonly settings: TargetSettings

  constructor(private readonly options: KeeperOptions) {
    this.settings = { probeIntervalMs: 10_000, probeTimeoutMs: 10_000, ...options.settings }
  }

  /** Takes up what the disk says: ids that are managed, and targets of this boot that were not let go of yet. */
  start(): void {
    const { state, bootId } = this.options
    for (const [id, { target, uri, options }] of state.connections) {
      this.takeUp(target, uri, options)?.hold(id, options)
    }
    for (const [key, { bootId: connectedIn, uri, options }] of state.targets) {
      if (connectedIn === bootId) this.takeUp(key, uri, options)
      else if (!this.targets.has(key)) state.targets.delete(key)
    }
    for (const target of this.targets.values()) target.start()
  }

  /** Settings of the plane, by key; those of others are not ours. */
  obey(settings: Readonly<Record<string, number>>): void {
    const probeIntervalMs = settings['storage.probeIntervalMs']
    if (probeIntervalMs !== undefined && probeIntervalMs >= 10) this.settings.probeIntervalMs = probeIntervalMs
    const probeTimeoutMs = settings['storage.probeTimeoutMs']
    if (probeTimeoutMs !== undefined && probeTimeoutMs >= 10) this.settings.probeTimeoutMs = probeTimeoutMs
  }

  /** Registered when this resolves; whether it connects is seen by observations (S1). */
  async manage({ connectionId, uri, options }: StorageManage, generation: number): Promise<StorageManaged> {
    const { state } = this.options
    const parsed = parseStorageUri(uri)
    const driver = this.driverOf(parsed)
    const obstacle = driver.obstacle()
    if (obstacle !== null) throw new FaultError(obstacle.type, obstacle.message, obstacle.number)
    driver.checkOptions(options)
    this.refuseOtherOptions(connectionId, parsed.target, options)
    const before = state.connections.get(connectionId)
    await this.store(connectionId, { uri, options, generation, target: parsed.target })
    if (before !== undefined && before.target !== parsed.target) this.targets.get(before.target)?.release(connectionId)
    const target = this.targetOf(parsed.target, uri, options)
    target.hold(connectionId, options)
    target.start()
    this.observe(connectionId, target)
    return { target: parsed.target }
  }

  async unmanage(connectionId: string): Promise<StorageUnmanaged> {
    const held = this.options.state.connections.get(connectionId)
    if (held === undefined) return { outcome: 'absent' }
    await this.store(connectionId, undefined)
    this.targets.get(held.target)?.release(connectionId)
    return { outcome: 'released' }
  }

  async reset(connectionId: string, signal: AbortSignal): Promise<StorageResetDone> {
    const held = this.options.state.connections.get(connectionId)
    const target = held && this.targets.get(held.target)
    if (target === undefined) throw notRegistered(connectionId)
    const status = await target.reset(signal)
    return { target: target.key, status }
  }

  heldGeneration(subject: string): number | undefined {
    return this.options.state.connections.get(subjectKey(subject))?.generation
  }

  /** Of the plane's ids and of this host's own. */
  inventory(): InventoryItem[] {
    return [...this.options.state.connections].map(([id, { uri, options, generation, target }]) => ({
      subject: subjectOf(id),
      generation,
      status: this.targets.get(target)?.status ?? 'UNKNOWN',
      origin: originOf(id),
      digest: digestOf({ uri, options }),
      fault: this.targets.get(target)?.fault ?? null,
      detail: originOf(id) === 'host' ? { uri, target, options, mountPoint: null } : { uri, target },
    }))
  }

  held(): HeldConnection[] {
    return [...this.options.state.connections].map(([id, { uri, options, generation, target: key }]) => {
      const target = this.targets.get(key)
      const { status = 'UNKNOWN', preexisting = false, fault = null, faultAt = null } = target ?? {}
      const [connectionId, origin] = [idOf(id), originOf(id)]
      return { connectionId, origin, uri, target: key, options, generation, status, preexisting, fault, faultAt }
    })
  }

  get probeIntervalMs(): number {
    return this.settings.probeIntervalMs
  }

  /** Null: nothing here has to do with it. */
  recognise(seen: KernelConnection): Recognised | null {
    for (const target of this.targets.values()) {
      const how = target.options.driver.recognises(target.options.uri, seen)
      if (how !== null) return { how, held: target.ids.size > 0, status: target.status, fault: target.fault }
    }
    return null
  }

  /** Targets without an id that are still being let go of (S5). */
  leaving(): LeavingTarget[] {
    const without = [...this.targets.values()].filter(({ ids }) => ids.size === 0)
    return without.map(({ key, status, fault }) => ({ target: key, status, fault }))
  }

  async stop(): Promise<void> {
    await Promise.all([...this.targets.values()].map((target) => target.stop()))
  }

  /** What an agent of another version wrote down may not be understood: it stays as it is, and the rest goes on. */
  private takeUp(key: string, uri: string, options: StorageOptions): Target | null {
    try {
      return this.targetOf(key, uri, options)
    } catch (error) {
      this.options.logger.error({ err: error, uri }, 'a storage connection on disk is not understood')
      return null
    }
  }

  private targetOf(key: string, uri: string, options: StorageOptions): Target {
    const known = this.targets.get(key)
    if (known !== undefined) return known
    const parsed = parseStorageUri(uri)
    const { state, bootId, logger, random, backoff } = this.options
    const target = new Target(key, options, {
      uri: parsed,
      driver: this.driverOf(parsed),
      state,
      bootId,
      settings: this.settings,
      logger,
      random,
      backoff,
      onStatus: (changed) => {
        for (const id of changed.ids) this.observe(id, changed)
      },
      onGone: ({ key }) => this.targets.delete(key),
    })
    this.targets.set(key, target)
    return target
  }

  /** The table pairs each scheme with the driver of its own URIs; TypeScript cannot follow that through a union. */
  private driverOf(uri: StorageUri): StorageDriver {
    return this.options.drivers[uri.scheme] as StorageDriver
  }

  /** One target is connected in one way: ids that share it must agree on how. */
  private refuseOtherOptions(connectionId: string, target: string, options: StorageOptions): void {
    const digest = digestOf(options)
    for (const [id, other] of this.options.state.connections) {
      if (id === connectionId || other.target !== target || digestOf(other.options) === digest) continue
      throw badArguments(`${target} is held by ${id} with other options: ${JSON.stringify(other.options)}`)
    }
  }

  /** A disk that refuses leaves everything as it was. */
  private async store(connectionId: string, connection: StoredConnection | undefined): Promise<void> {
    const { connections } = this.options.state
    const before = connections.get(connectionId)
    set(connections, connectionId, connection)
    try {
      await this.options.state.save()
    } catch (error) {
      set(connections, connectionId, before)
      throw new FaultError('state-not-written', `the host's state cannot be written: ${(error as Error).message}`, 100)
    }
  }

  private observe(connectionId: string, { status, fault }: Target): void {
    const connection = this.options.state.connections.get(connectionId)
    if (connection === undefined) return
    const { generation } = connection
    if (originOf(connectionId) === 'host') this.options.onOwnChange?.()
    else this.options.onObservation({ subject: subjectOf(connectionId), generation, status, fault })
  }
}

function set<V>(map: Map<string, V>, key: string, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
