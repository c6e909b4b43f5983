import { FaultError } from '../../agent/fault.js'
import type { GuestChannel, GuestSight, HypervisorDriver, SnapshotAsked } from '../../agent/guests/driver.js'
import type { EnsureSeed, ImageEnsured, RemoveSnapshot, VolumeEnsured } from '../../wire/guests/commands.js'
import type { GuestIntent, ImageIntent, VolumeIntent, VolumePlace } from '../../wire/guests/intent.js'
import type { FaultParameters, SimulatedGuestTrouble } from '../fault-parameters.js'
import type { HostFaults } from '../host-faults.js'
import type { SimulatedDisks } from './disks.js'
import { SimulatedGuest } from './guest.js'

/** Troubles that begin with a boot, and are there as long as it lasts. */
const ofBoots: readonly SimulatedGuestTrouble[] = [
  'vm-not-started',
  'kernel-panic',
  'port-never-opened',
  'agent-silent',
  'agent-too-old',
  'prepare-failed',
  'slow-boot',
  'dies',
]

/** What runs the guests of a simulated host: kept over the end of the agent's process; a boot of the host stops them. */
export class SimulatedHypervisor implements HypervisorDriver {
  readonly hypervisor = 'simulated'
  private readonly guests = new Map<string, SimulatedGuest>()
  private readonly seeds = new Map<string, string>()
  private readonly watchers = new Set<(guestId: string) => void>()

  constructor(
    private readonly faults: HostFaults,
    readonly disks: SimulatedDisks,
  ) {}

  /** Whatever of guests is on this host. */
  get leftovers(): readonly string[] {
    return [...this.guests.keys(), ...this.seeds.keys()]
  }

  guest(id: string): SimulatedGuest | undefined {
    return this.guests.get(id)
  }

  powerOff(): void {
    for (const guest of this.guests.values()) guest.powerOff()
  }

  async obstacle(): Promise<null> {
    return null
  }

  async ensureImage({ files }: ImageIntent): Promise<ImageEnsured> {
    this.fail('image-bad', 'guests.ensureImage')
    return { sizeBytes: files.length, minDiskMiB: 0 }
  }

  async removeImage(): Promise<boolean> {
    return false
  }

  async ensureVolume(volume: VolumeIntent): Promise<VolumeEnsured> {
    this.fail('volume-failed', 'guests.ensureVolume')
    const { snapshot } = volume.origin ?? {}
    if (snapshot && !this.disks.hasSnapshot({ ...snapshot, id: snapshot.volumeId }, snapshot.snapshotId))
      throw new FaultError('volume-failed', `volume ${snapshot.volumeId} has no snapshot ${snapshot.snapshotId}`)
    const made = this.disks.ensure(volume)
    return { made, sizeMiB: this.disks.sizeOf(volume) ?? 0 }
  }

  async removeVolume(volume: VolumePlace): Promise<boolean> {
    return this.disks.remove(volume)
  }

  async ensureSeed({ guestId, instanceId }: EnsureSeed): Promise<boolean> {
    this.fail('seed-failed', 'guests.ensureSeed')
    const made = this.seeds.get(guestId) !== instanceId
    this.seeds.set(guestId, instanceId)
    return made
  }

  async apply(intent: GuestIntent): Promise<boolean> {
    for (const disk of intent.disks) {
      if (this.disks.sizeOf(disk) === null) throw new FaultError('vm-not-started', `there is no volume ${disk.id}`)
    }
    const guest = this.guests.get(intent.id) ?? this.make(intent)
    guest.become(intent)
    return false
  }

  async reset({ id }: GuestIntent): Promise<void> {
    const guest = this.guests.get(id)
    if (guest === undefined) throw new FaultError('vm-not-started', `there is no guest ${id}`)
    guest.reset()
  }

  async remove(guestId: string): Promise<boolean> {
    this.guests.get(guestId)?.powerOff()
    const seeded = this.seeds.delete(guestId)
    return this.guests.delete(guestId) || seeded
  }

  async snapshot({ snapshotId, volumes, quiesce }: SnapshotAsked): Promise<boolean> {
    for (const volume of volumes) this.disks.snapshot(volume, snapshotId)
    return quiesce
  }

  async removeSnapshot({ snapshotId, volumes }: RemoveSnapshot): Promise<boolean> {
    return volumes.map((volume) => this.disks.removeSnapshot(volume, snapshotId)).includes(true)
  }

  async see(guestId: string): Promise<GuestSight | null> {
    return this.guests.get(guestId)?.see() ?? null
  }

  async console(guestId: string, chars: number): Promise<string> {
    return this.guests.get(guestId)?.console.slice(-chars) ?? ''
  }

  channel(guestId: string): GuestChannel {
    const guest = this.guests.get(guestId)
    if (guest === undefined) throw new FaultError('vm-not-started', `there is no guest ${guestId}`)
    return guest
  }

  async list(): Promise<readonly string[]> {
    return [...this.guests.keys()]
  }

  watch(onChange: (guestId: string) => void): () => void {
    this.watchers.add(onChange)
    return () => this.watchers.delete(onChange)
  }

  private make(intent: GuestIntent): SimulatedGuest {
    const guest = new SimulatedGuest(
      intent,
      () => this.strike(ofBoots, 'guests.apply'),
      () => {
        for (const watcher of this.watchers) watcher(intent.id)
      },
    )
    this.guests.set(intent.id, guest)
    return guest
  }

  private fail(how: SimulatedGuestTrouble, kind: string): void {
    const trouble = this.strike([how], kind)
    if (trouble !== null) throw new FaultError(how, trouble.message)
  }

  private strike(among: readonly SimulatedGuestTrouble[], kind: string): FaultParameters['guest'] | null {
    return this.faults.strike('guest', kind, ({ how }) => among.includes(how))
  }
}
