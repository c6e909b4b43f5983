import { isDeepStrictEqual } from 'node:util'
import type { StorageManage, StorageManaged, StorageResetDone, StorageUnmanaged } from '../../wire/commands.js'
import { subjectKey } from '../../wire/commands.js'
import type { InventoryItem, Observation } from '../../wire/session.js'
import { differingOptions, type ReadArguments, type StorageArguments } from '../../wire/storage/arguments.js'
import { kindOf } from '../../wire/storage/kinds.js'
import type { StorageUri } from '../../wire/storage/uri.js'
import { FaultError } from '../fault.js'
import type { Logger } from '../logger.js'
import { requireArguments } from './arguments.js'
import type { StorageDriver, StorageDrivers } from './driver.js'
import { notRegistered, optionsConflict } from './faults.js'
import {
  type HeldConnection,
  heldConnection,
  inventoryItemOf,
  type LeavingTarget,
  leavingOf,
  observationOf,
} from './held.js'
import type { KernelConnection } from './kernel.js'
import type { Recognised } from './sightings.js'
import type { StorageState, StoredConnection } from './state.js'
import { requireStored, StoredOptions } from './stored-options.js'
import { Target } from './target.js'
import type { TargetOptions, TargetSettings } from './target-options.js'

export interface KeeperOptions {
  readonly state: StorageState
  readonly drivers: StorageDrivers
  readonly bootId: string
  readonly logger: Logger
  readonly onObservation: (observation: Observation) => void
  /** What is seen of a connection that a program of this host asked for has changed. */
  readonly onOwnChange?: () => void
  readonly random?: () => number
  readonly backoff?: TargetOptions<Target>['backoff']
  readonly settings?: Partial<TargetSettings>
}

/** Many ids, fewer targets: registers ids on disk and leaves connecting to each target's own life. */
export class StorageKeeper {
  private readonly targets = new Map<string, Target>()
  private readonly settings: TargetSettings
  private order = 0
  /** Ids on disk by their target, also while they are being written there. */
  private readonly idsOf = new Map<string, Set<string>>()
  private readonly storedOptions = new StoredOptions()

  constructor(private readonly options: KeeperOptions) {
    this.settings = { probeIntervalMs: 10_000, probeTimeoutMs: 3_000, ...options.settings }
  }

  /** Takes up what the disk says: ids that are managed, and targets of this boot that were not let go of yet. */
  start(): void {
    const { state, bootId } = this.options
    const inOrder = [...state.connections].sort(([, a], [, b]) => (a.order ?? 0) - (b.order ?? 0))
    this.order = inOrder.at(-1)?.[1].order ?? 0
    for (const [id, connection] of inOrder) {
      this.index(id, connection)
      this.takeUp(connection, (target, read) => target.hold(id, read))
    }
    for (const [key, stored] of state.targets) {
      if (stored.bootId === bootId)
        this.takeUp(stored, (_, { options }) => state.targets.set(key, { ...stored, options }))
      else if (!this.targets.has(key)) state.targets.delete(key)
    }
    this.tidy()
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
  async manage(asked: StorageManage, generation: number): Promise<StorageManaged> {
    const { state } = this.options
    const { connectionId, uri, options, credentials } = asked
    const read = requireArguments(asked)
    const { target: key } = read.uri
    const obstacle = await this.driverOf(read.uri).obstacle(kindOf(read.uri))
    if (obstacle !== null) throw new FaultError(obstacle.type, obstacle.message, obstacle.number)
    this.refuseOtherOptions(connectionId, read)
    const before = state.connections.get(connectionId)
    this.order += 1
    await this.store(connectionId, { uri, options, credentials, generation, target: key, order: this.order })
    if (before !== undefined && before.target !== key) this.targets.get(before.target)?.release(connectionId)
    const target = this.targetOf(read)
    if (before !== undefined && before.target === key && !sameArguments(before, asked)) forgetFailure(target)
    target.hold(connectionId, read)
    target.start()
    this.observe(connectionId, target)
    return { target: key }
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
    return this.held().map(inventoryItemOf)
  }

  held(): HeldConnection[] {
    return [...this.options.state.connections].map(([id, stored]) =>
      heldConnection(id, stored, this.targets.get(stored.target)),
    )
  }

  /** Where what a connection holds shows as files; null: it is not held here, or shows none. */
  directoryOf(connectionId: string): string | null {
    const target = this.targets.get(this.options.state.connections.get(connectionId)?.target ?? '')
    return target?.options.driver.directory?.(target.options.uri) ?? null
  }

  get probeIntervalMs(): number {
    return this.settings.probeIntervalMs
  }

  /** Null: nothing here has to do with it. */
  recognise(seen: KernelConnection): Recognised | null {
    for (const target of this.targets.values()) {
      const how = target.options.driver.recognises(target.options.uri, seen)
      if (how !== null) return { how, leaving: leavingOf(target) }
    }
    return null
  }

  /** Targets without an id that are not done with yet (S5). */
  leaving(): LeavingTarget[] {
    return [...this.targets.values()].map(leavingOf).filter((leaving) => leaving !== null)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.targets.values()].map((target) => target.stop()))
  }

  private tidy(): void {
    for (const driver of Object.values(this.options.drivers)) {
      driver.tidy?.().catch((error: unknown) => {
        this.options.logger.warn({ err: error }, 'what a crash may have left behind of storage could not be removed')
      })
    }
  }

  /** What an agent of another version wrote down may not be understood: it stays as it is, and the rest goes on. */
  private takeUp(stored: StorageArguments, use: (target: Target, read: ReadArguments) => void): void {
    try {
      const read = requireStored(stored)
      use(this.targetOf(read), read)
    } catch (error) {
      this.options.logger.error({ err: error, uri: stored.uri }, 'a storage connection on disk is not understood')
    }
  }

  private targetOf(read: ReadArguments): Target {
    const known = this.targets.get(read.uri.target)
    if (known !== undefined) return known
    const { state, bootId, logger, random, backoff } = this.options
    const target = new Target(read.uri.target, read, {
      uri: read.uri,
      driver: this.driverOf(read.uri),
      state,
      bootId,
      settings: this.settings,
      logger,
      random,
      backoff,
      onStatus: (changed) => {
        for (const id of changed.wants.ids) this.observe(id, changed)
      },
      onGone: ({ key }) => this.targets.delete(key),
    })
    this.targets.set(target.key, target)
    return target
  }

  /** The table pairs each scheme with the driver of its own URIs; TypeScript cannot follow that through a union. */
  private driverOf(uri: StorageUri): StorageDriver {
    return this.options.drivers[uri.scheme] as StorageDriver
  }

  /** One target is connected in one way: ids that share it must agree on how. */
  private refuseOtherOptions(connectionId: string, { uri, options }: ReadArguments): void {
    for (const id of this.idsOf.get(uri.target) ?? []) {
      const other = this.options.state.connections.get(id)
      if (id === connectionId || other === undefined) continue
      const differing = differingOptions(this.storedOptions.of(other) ?? options, options)
      if (differing.length > 0) throw optionsConflict(uri.target, differing)
    }
  }

  /** A disk that refuses leaves everything as it was. */
  private async store(connectionId: string, connection: StoredConnection | undefined): Promise<void> {
    const { connections } = this.options.state
    const before = connections.get(connectionId)
    this.set(connectionId, connection)
    try {
      await this.options.state.save()
    } catch (error) {
      this.set(connectionId, before)
      throw new FaultError('state-not-written', `the host's state cannot be written: ${(error as Error).message}`, 100)
    }
  }

  private set(id: string, connection: StoredConnection | undefined): void {
    const { connections } = this.options.state
    const before = connections.get(id)
    if (before !== undefined) this.unindex(id, before)
    if (connection === undefined) connections.delete(id)
    else {
      connections.set(id, connection)
      this.index(id, connection)
    }
  }

  private index(id: string, { target }: StoredConnection): void {
    const ids = this.idsOf.get(target)
    if (ids) ids.add(id)
    else this.idsOf.set(target, new Set([id]))
  }

  private unindex(id: string, { target }: StoredConnection): void {
    const ids = this.idsOf.get(target)
    ids?.delete(id)
    if (ids?.size === 0) this.idsOf.delete(target)
  }

  private observe(connectionId: string, target: Target): void {
    const stored = this.options.state.connections.get(connectionId)
    if (stored === undefined) return
    const held = heldConnection(connectionId, stored, target)
    if (held.origin === 'host') this.options.onOwnChange?.()
    else this.options.onObservation(observationOf(held))
  }
}

const sameArguments = (a: StorageArguments, b: StorageArguments): boolean =>
  isDeepStrictEqual([a.uri, a.options, a.credentials ?? {}], [b.uri, b.options, b.credentials ?? {}])

/** What went wrong with other arguments says nothing of these: the next try tells, also when it is the same once more. */
function forgetFailure(target: Target): void {
  if (target.status !== 'DOWN') return
  target.status = 'CONNECTING'
  target.fault = null
  target.faultAt = null
}
