import { access, readFile, rm } from 'node:fs/promises'
import type { EnsureSeed, ImageEnsured, RemoveSnapshot, VolumeEnsured } from '../../../wire/guests/commands.js'
import type { GuestIntent, ImageIntent, VolumeIntent, VolumePlace } from '../../../wire/guests/intent.js'
import type { Fault } from '../../../wire/session.js'
import { type Run, run as runProgram } from '../../host/run.js'
import { writeFileAtomically } from '../../host/write-file.js'
import type { Logger } from '../../logger.js'
import type { GuestChannel, GuestSight, HypervisorDriver, SnapshotAsked } from '../driver.js'
import { HostAbility } from './abilities.js'
import { Boots } from './boots.js'
import { LibvirtChannel } from './channel.js'
import { readConsole } from './console.js'
import { Disks } from './disks.js'
import { domainName, domainXml } from './domain-xml.js'
import { Domains } from './domains.js'
import { isAbsent, layerFault } from './faults.js'
import { Homes } from './homes.js'
import { Images } from './images.js'
import { Machines } from './machines.js'
import { bridgesIn, GuestNetworks } from './networks.js'
import { type DirectoryOf, Places } from './places.js'
import { Power, unless } from './power.js'
import { Seeds } from './seeds.js'
import { Sights } from './sights.js'
import { Snapshots } from './snapshots.js'
import { StorageFiles } from './storage-files.js'
import { Virsh } from './virsh.js'
import { Volumes } from './volumes.js'
import { type DomainEvent, Watch } from './watch.js'

export interface LibvirtOptions {
  readonly stateDir: string
  /** As virsh(1) takes it: `qemu:///system`. */
  readonly uri: string
  readonly logger: Logger
  readonly directoryOf: DirectoryOf
  readonly run?: Run
}

const REMOVE_MS = 30_000
const LOOK_EVERY_MS = 500

/** Guests as domains of libvirt's, which keeps them over the end of this agent and of its own daemon. */
export class LibvirtDriver implements HypervisorDriver {
  readonly hypervisor = 'libvirt'
  private readonly virsh: Virsh
  private readonly homes: Homes
  private readonly domains: Domains
  private readonly boots: Boots
  private readonly machines = new Machines()
  private readonly sights: Sights
  private readonly power: Power
  private readonly ability: HostAbility
  private readonly places: Places
  private readonly images: Images
  private readonly volumes: Volumes
  private readonly disks: Disks
  private readonly seeds: Seeds
  private readonly snapshots: Snapshots
  private readonly networks: GuestNetworks
  private readonly versions = new Map<string, string>()
  private readonly watches = new Set<Watch>()

  constructor(private readonly options: LibvirtOptions) {
    const { stateDir, uri, directoryOf, run = runProgram } = options
    const virsh = new Virsh(run, uri)
    const homes = new Homes(stateDir)
    const domains = new Domains(virsh)
    const files = new StorageFiles(run)
    const places = new Places(directoryOf)
    const volumes = new Volumes(files, places, virsh, domains)
    this.virsh = virsh
    this.homes = homes
    this.domains = domains
    this.places = places
    this.volumes = volumes
    this.boots = new Boots(virsh, domains)
    this.sights = new Sights(domains, this.boots, homes, this.machines)
    this.power = new Power(virsh, domains)
    this.ability = new HostAbility({ run, virsh, homes })
    this.images = new Images(run, files, places)
    this.disks = new Disks(virsh, domains, homes)
    this.seeds = new Seeds(run, homes)
    this.snapshots = new Snapshots({ virsh, domains, homes, places, files, volumes })
    this.networks = new GuestNetworks(run, stateDir)
  }

  /** Known once `obstacle` has been asked. */
  get kinds(): readonly string[] {
    return this.ability.acceleration === 'kvm' ? ['kvm'] : []
  }

  obstacle(): Promise<Fault | null> {
    return this.ability.obstacle()
  }

  ensureImage(image: ImageIntent, signal: AbortSignal): Promise<ImageEnsured> {
    return this.images.ensure(image, signal)
  }

  removeImage(image: ImageIntent, signal: AbortSignal): Promise<boolean> {
    return this.images.remove(image, signal)
  }

  ensureVolume(volume: VolumeIntent, signal: AbortSignal): Promise<VolumeEnsured> {
    return this.volumes.ensure(volume, signal)
  }

  removeVolume(volume: VolumePlace, signal: AbortSignal): Promise<boolean> {
    return this.volumes.remove(volume, signal)
  }

  ensureSeed(seed: EnsureSeed, signal: AbortSignal): Promise<boolean> {
    return this.seeds.ensure(seed, signal)
  }

  apply(guest: GuestIntent, signal: AbortSignal): Promise<boolean> {
    return this.change(guest.id, async () => {
      await this.define(guest, signal)
      if (guest.power === 'STOPPED') return await this.power.stop(guest, signal)
      await this.networks.ensure(guest)
      await (guest.power === 'RUNNING' ? this.power.run(guest.id, signal) : this.power.pause(guest.id, signal))
      await this.disks.plug(guest.id, this.disksOf(guest), signal)
      return false
    })
  }

  reset(guest: GuestIntent, how: 'reset' | 'restart', signal: AbortSignal): Promise<void> {
    return this.change(guest.id, async () => {
      const state = await this.domains.state(guest.id, { signal })
      if (state === null) throw layerFault('vm-not-started', `there is no guest ${guest.id}`)
      if (how === 'restart') await this.power.stop(guest, signal)
      else if (state.phase === 'running' || state.phase === 'paused') {
        await this.virsh.call(['reset', domainName(guest.id)], { signal })
        await this.boots.reset(guest.id, { signal })
      }
      await this.networks.ensure(guest)
      await this.power.run(guest.id, signal)
    })
  }

  remove(guestId: string, signal: AbortSignal): Promise<boolean> {
    return this.change(guestId, async () => {
      const definition = await this.domains.xml(guestId, 'defined', { signal })
      if (definition !== null) await this.undefine(guestId, signal)
      await this.networks.left(bridgesIn(definition ?? (await this.lastDefinition(guestId))))
      return (await this.homes.remove(guestId)) || definition !== null
    })
  }

  snapshot(asked: SnapshotAsked, signal: AbortSignal): Promise<boolean> {
    return this.snapshots.take(asked, signal)
  }

  removeSnapshot(asked: RemoveSnapshot, signal: AbortSignal): Promise<boolean> {
    return this.snapshots.remove(asked, signal)
  }

  see(guestId: string): Promise<GuestSight | null> {
    return this.sights.see(guestId)
  }

  console(guestId: string, chars: number): Promise<string> {
    return readConsole(this.homes.console(guestId), chars)
  }

  channel(guestId: string): GuestChannel {
    const { virsh, domains, boots, versions } = this
    return new LibvirtChannel(guestId, { virsh, domains, boots, versions, console: this.homes.console(guestId) })
  }

  /** Also those of which nothing but the home is left. */
  async list(): Promise<readonly string[]> {
    this.domains.forget()
    const [states, homes] = await Promise.all([this.domains.all(), this.homes.list()])
    return [...new Set([...states.keys(), ...homes])].sort()
  }

  watch(onChange: (guestId: string) => void): () => void {
    const { uri, logger } = this.options
    const watch = new Watch({
      uri,
      onEvent: (event) =>
        void this.heard(event, onChange).catch((error: unknown) =>
          logger.warn({ err: error, ...event }, 'an event of libvirt could not be followed up'),
        ),
      onGap: () => {
        this.sights.forgetAll()
        void this.homes.list().then((ids) => ids.forEach(onChange))
      },
    })
    const looks = setInterval(() => void this.machines.ended().then((ids) => ids.forEach(onChange)), LOOK_EVERY_MS)
    looks.unref()
    this.watches.add(watch)
    this.sights.isWatched = true
    void this.thaw()
    return () => {
      clearInterval(looks)
      this.watches.delete(watch)
      this.sights.isWatched = this.watches.size > 0
      void watch.end()
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.watches].map((watch) => watch.end()))
  }

  private async heard({ guestId, kind }: DomainEvent, onChange: (guestId: string) => void): Promise<void> {
    this.sights.forget(guestId)
    // our own record of the boot
    if (kind === 'metadata-change') return
    if (kind === 'reboot') await this.boots.resetSeen(guestId)
    this.sights.forget(guestId)
    onChange(guestId)
  }

  /** What was seen before it does not count after it. */
  private async change<T>(guestId: string, work: () => Promise<T>): Promise<T> {
    try {
      return await this.machines.take(guestId, work)
    } finally {
      this.sights.forget(guestId)
    }
  }

  private async define(guest: GuestIntent, signal: AbortSignal): Promise<void> {
    await this.homes.make(guest.id)
    const { kernel } = guest
    const direct = kernel == null ? null : this.places.imageRole(kernel.image, 'kernel')
    if (kernel != null && direct === null) throw layerFault('image-bad', `image ${kernel.image.id} has no kernel`)
    const xml = domainXml(guest, {
      acceleration: await this.ability.require(),
      disks: this.disksOf(guest),
      seed: guest.seed ? this.homes.seed(guest.id) : null,
      console: this.homes.console(guest.id),
      kernel: direct === null ? null : { kernel: direct, initrd: this.places.imageRole(kernel!.image, 'initrd') },
    })
    const isDefined = (await this.domains.state(guest.id, { signal })) !== null
    if (isDefined && (await this.lastDefinition(guest.id)) === xml) return
    const path = this.homes.definition(guest.id)
    // one that libvirt has not taken is not remembered as if it had
    await rm(path, { force: true })
    await writeFileAtomically(`${path}.told`, xml, 0o600)
    await this.virsh.call(['define', `${path}.told`], { signal })
    await writeFileAtomically(path, xml, 0o600)
    await rm(`${path}.told`, { force: true })
  }

  private disksOf({ disks }: GuestIntent): { path: string; format: VolumePlace['format'] }[] {
    return disks.map((disk) => ({ path: this.places.volume(disk), format: disk.format }))
  }

  private lastDefinition(guestId: string): Promise<string> {
    return readFile(this.homes.definition(guestId), 'utf8').catch(() => '')
  }

  private async undefine(guestId: string, signal: AbortSignal): Promise<void> {
    await this.power.destroy(guestId, signal)
    const flags = ['--managed-save', '--nvram', '--snapshots-metadata', '--checkpoints-metadata']
    await this.virsh
      .call(['undefine', domainName(guestId), ...flags], { signal, deadlineMs: REMOVE_MS })
      .catch(unless(isAbsent))
  }

  /** What an agent that was killed has left frozen. */
  private async thaw(): Promise<void> {
    const { logger } = this.options
    for (const id of await this.homes.list()) {
      const isFrozen = await access(this.homes.frozen(id)).then(
        () => true,
        () => false,
      )
      if (!isFrozen) continue
      await this.snapshots.thawLeft(id, AbortSignal.timeout(REMOVE_MS)).catch((error: unknown) => {
        logger.warn({ err: error, guestId: id }, 'the file systems of a guest may still be frozen')
      })
    }
  }
}
