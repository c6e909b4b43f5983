import { isDeepStrictEqual } from 'node:util'
import type { StorageOperatingStatus } from '../../wire/commands.js'
import { digestOf } from '../../wire/digest.js'
import type {
  ApplyGuest,
  ConsoleRead,
  EnsureImage,
  EnsureSeed,
  EnsureVolume,
  GuestApplied,
  GuestThingRemoved,
  ImageEnsured,
  MessageDone,
  PingGuest,
  Pong,
  ReadConsole,
  RemoveGuest,
  RemoveImage,
  RemoveSnapshot,
  RemoveVolume,
  ResetGuest,
  SeedEnsured,
  SendMessage,
  SnapshotTaken,
  TakeSnapshot,
  VolumeEnsured,
} from '../../wire/guests/commands.js'
import { guestSubject } from '../../wire/guests/kinds.js'
import { NO_HYPERVISOR } from '../../wire/guests/terms.js'
import type { InventoryItem, Observation } from '../../wire/session.js'
import { FaultError } from '../fault.js'
import type { Logger } from '../logger.js'
import type { HypervisorDriver } from './driver.js'
import { connectionsOf, unknownItem } from './held.js'
import { Lanes } from './lanes.js'
import { deliver, pingUntil } from './messages.js'
import { type RestartPace, Restarts } from './restarts.js'
import { detailOf, nothingSeen, type Seen } from './seen.js'
import type { GuestState, StoredGuest } from './state.js'

export interface GuestKeeperOptions {
  readonly state: GuestState
  /** Null: this host has none. */
  readonly driver: HypervisorDriver | null
  /** Of a connection that is held here; undefined: it is not. */
  readonly storageStatus: (connectionId: string) => StorageOperatingStatus | undefined
  readonly logger: Logger
  readonly onObservation: (observation: Observation) => void
  readonly observeIntervalMs?: number
  readonly restartPace?: RestartPace
}

/** What a handler knows of its command beside the payload. */
interface CommandContext {
  readonly generation: number
  readonly signal: AbortSignal
}

const RESTART_MS = 120_000
const UP: ReadonlySet<StorageOperatingStatus | undefined> = new Set(['UP', 'DEGRADED'])

/** Holds the guests of this host: what the plane has said last, on disk, and a look at each every second. */
export class GuestKeeper {
  private readonly seen = new Map<string, Seen>()
  /** One who speaks to a guest at a time. */
  private readonly channels = new Lanes()
  /** Whoever starts, stops or removes a guest, one at a time. */
  private readonly powers = new Lanes()
  private readonly restarts: Restarts
  private timer: NodeJS.Timeout | null = null
  private endWatch: (() => void) | null = null
  private looking: Promise<void> = Promise.resolve()

  constructor(private readonly options: GuestKeeperOptions) {
    this.restarts = new Restarts(options.restartPace)
  }

  /** Takes up what the disk says: guests that ran on are found again. */
  start(): void {
    const { driver, observeIntervalMs = 1000 } = this.options
    if (driver === null) return
    this.endWatch = driver.watch?.((guestId) => void this.look(guestId)) ?? null
    this.timer = setInterval(() => void this.lookAtAll(), observeIntervalMs)
    this.timer.unref()
    void this.lookAtAll()
  }

  /** Guests go on. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    this.endWatch?.()
    await this.looking
    await this.options.driver?.close?.()
  }

  async ensureImage({ image }: EnsureImage, { signal }: CommandContext): Promise<ImageEnsured> {
    this.requireUp([image.connectionId])
    return this.driver().ensureImage(image, signal)
  }

  async removeImage({ image }: RemoveImage, { signal }: CommandContext): Promise<GuestThingRemoved> {
    this.requireUp([image.connectionId])
    return removed(await this.driver().removeImage(image, signal))
  }

  async ensureVolume({ volume }: EnsureVolume, { signal }: CommandContext): Promise<VolumeEnsured> {
    const { image, snapshot } = volume.origin ?? {}
    this.requireUp([volume.connectionId, image?.connectionId, snapshot?.connectionId])
    return this.driver().ensureVolume(volume, signal)
  }

  async removeVolume({ volume }: RemoveVolume, { signal }: CommandContext): Promise<GuestThingRemoved> {
    this.requireUp([volume.connectionId])
    return removed(await this.driver().removeVolume(volume, signal))
  }

  async ensureSeed(seed: EnsureSeed, { signal }: CommandContext): Promise<SeedEnsured> {
    return { made: await this.driver().ensureSeed(seed, signal) }
  }

  async apply({ guest }: ApplyGuest, { generation, signal }: CommandContext): Promise<GuestApplied> {
    const driver = this.driver()
    if (guest.power !== 'STOPPED') this.requireUp(connectionsOf(guest))
    const forced = await this.powers.run(guest.id, async () => {
      await this.options.state.set(guest.id, { generation, guest, leaving: false, restarts: 0 })
      this.restarts.forget(guest.id)
      return this.lookedAt(guest.id, driver.apply(guest, signal))
    })
    return { bootId: this.seen.get(guest.id)?.bootId ?? null, ...(forced ? { forced } : {}) }
  }

  async reset({ guestId, how }: ResetGuest, { signal }: CommandContext): Promise<GuestApplied> {
    const { guest } = this.require(guestId)
    const driver = this.driver()
    await this.powers.run(guestId, () => this.lookedAt(guestId, driver.reset(guest, how, signal)))
    return { bootId: this.seen.get(guestId)?.bootId ?? null }
  }

  async remove({ guestId }: RemoveGuest, { signal }: CommandContext): Promise<GuestThingRemoved> {
    const { state } = this.options
    const driver = this.driver()
    return this.powers.run(guestId, async () => {
      const held = state.guests.get(guestId)
      if (held) await state.set(guestId, { ...held, leaving: true })
      const was = await driver.remove(guestId, signal)
      await state.set(guestId, null)
      this.seen.delete(guestId)
      this.restarts.forget(guestId)
      return removed(was || held !== undefined)
    })
  }

  async ping({ guestId, waitMs }: PingGuest, { signal }: CommandContext): Promise<Pong> {
    this.require(guestId)
    const channel = this.driver().channel(guestId)
    return this.channels.run(guestId, () => pingUntil(channel, waitMs, signal))
  }

  async message(message: SendMessage, { signal }: CommandContext): Promise<MessageDone> {
    this.require(message.guestId)
    const channel = this.driver().channel(message.guestId)
    return this.channels.run(message.guestId, () => deliver(channel, message, signal))
  }

  async snapshot(asked: TakeSnapshot, { signal }: CommandContext): Promise<SnapshotTaken> {
    const { guestId, snapshotId, volumes, quiesce } = asked
    this.requireUp(volumes.map(({ connectionId }) => connectionId))
    const { guest } = this.require(guestId)
    return { quiesced: await this.driver().snapshot({ guest, snapshotId, volumes, quiesce }, signal) }
  }

  async removeSnapshot(asked: RemoveSnapshot, { signal }: CommandContext): Promise<GuestThingRemoved> {
    this.requireUp(asked.volumes.map(({ connectionId }) => connectionId))
    return removed(await this.driver().removeSnapshot(asked, signal))
  }

  async readConsole({ guestId, chars }: ReadConsole): Promise<ConsoleRead> {
    return { text: await this.driver().console(guestId, chars) }
  }

  heldGeneration(guestId: string): number | undefined {
    return this.options.state.guests.get(guestId)?.generation
  }

  held(): string[] {
    return [...this.options.state.guests.keys()]
  }

  /** Everything that is held, and what the hypervisor has beside that. */
  async inventory(): Promise<InventoryItem[]> {
    const { state, driver } = this.options
    const items = [...state.guests].map(([id, stored]) => this.itemOf(id, stored))
    const listed = driver === null ? [] : await driver.list().catch(() => [])
    const unknown = listed.filter((id) => !state.guests.has(id))
    return [...items, ...unknown.map((id) => unknownItem(id))]
  }

  private itemOf(id: string, { generation, guest, leaving }: StoredGuest): InventoryItem {
    const seen = this.seen.get(id) ?? nothingSeen
    return {
      subject: guestSubject(id),
      generation,
      status: seen.status,
      origin: 'plane',
      digest: leaving ? 'leaving' : digestOf(guest),
      fault: seen.fault,
      detail: { ...detailOf(seen) },
    }
  }

  /** However it ends, the plane is told of what came of it. */
  private async lookedAt<T>(guestId: string, work: Promise<T>): Promise<T> {
    try {
      return await work
    } finally {
      await this.look(guestId)
    }
  }

  private lookAtAll(): Promise<void> {
    this.looking = this.looking.then(async () => {
      for (const id of this.options.state.guests.keys()) await this.look(id)
    })
    return this.looking
  }

  private async look(guestId: string): Promise<void> {
    const { driver, state, logger, onObservation } = this.options
    const stored = state.guests.get(guestId)
    if (driver === null || stored === undefined || stored.leaving) return
    try {
      const sight = await driver.see(guestId)
      const now: Seen = { ...(sight ?? nothingSeen), restarts: stored.restarts }
      if (this.restarts.isDue(stored.guest, now)) void this.restart(guestId)
      if (isDeepStrictEqual(this.seen.get(guestId), now) || !state.guests.has(guestId)) return
      this.seen.set(guestId, now)
      onObservation({
        subject: guestSubject(guestId),
        generation: stored.generation,
        status: now.status,
        fault: now.fault,
        detail: { ...detailOf(now) },
      })
    } catch (error) {
      logger.warn({ err: error, guestId }, 'a guest could not be looked at')
    }
  }

  /** By its policy: it has ended without being asked to. What it was told meanwhile comes first. */
  private async restart(guestId: string): Promise<void> {
    const { driver, state, logger } = this.options
    try {
      await this.powers.run(guestId, async () => {
        const stored = state.guests.get(guestId)
        const sight = (await driver?.see(guestId)) ?? null
        if (!driver || !stored || stored.leaving || sight === null || !this.restarts.begin(stored.guest, sight)) return
        this.requireUp(connectionsOf(stored.guest))
        await state.set(guestId, { ...stored, restarts: stored.restarts + 1 })
        logger.warn({ guestId, restarts: stored.restarts + 1 }, 'a guest that has ended by itself is started again')
        const signal = AbortSignal.timeout(RESTART_MS)
        if (sight.bootId === null) await driver.apply(stored.guest, signal)
        else await driver.reset(stored.guest, 'reset', signal)
      })
    } catch (error) {
      logger.warn({ err: error, guestId }, 'a guest could not be started again')
    } finally {
      this.restarts.done(guestId)
    }
    await this.look(guestId)
  }

  private driver(): HypervisorDriver {
    const { driver } = this.options
    if (driver === null) throw new FaultError(NO_HYPERVISOR, 'this host has nothing that runs guests')
    return driver
  }

  private require(guestId: string): StoredGuest {
    const stored = this.options.state.guests.get(guestId)
    if (stored === undefined || stored.leaving)
      throw new FaultError('vm-not-started', `this host does not hold guest ${guestId}`)
    return stored
  }

  /** S12: looked at once more where it counts. */
  private requireUp(connectionIds: readonly (string | undefined)[]): void {
    for (const id of connectionIds) {
      if (id === undefined) continue
      const status = this.options.storageStatus(id)
      if (!UP.has(status))
        throw new FaultError('storage-not-up', `storage connection ${id} is ${status ?? 'not held'} here`)
    }
  }
}

const removed = (was: boolean): GuestThingRemoved => ({ outcome: was ? 'removed' : 'absent' })
