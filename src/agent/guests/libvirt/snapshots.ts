import { rm } from 'node:fs/promises'
import type { RemoveSnapshot } from '../../../wire/guests/commands.js'
import type { VolumePlace } from '../../../wire/guests/intent.js'
import { writeFileAtomically } from '../../host/write-file.js'
import type { SnapshotAsked } from '../driver.js'
import { diskTarget, domainName } from './domain-xml.js'
import type { Domains } from './domains.js'
import { layerFault } from './faults.js'
import type { Homes } from './homes.js'
import type { Places } from './places.js'
import { unless } from './power.js'
import type { StorageFiles } from './storage-files.js'
import { type Virsh, VirshError } from './virsh.js'
import type { Volumes } from './volumes.js'
import { escaped } from './xml.js'

const FREEZE_MS = 15_000
const LOOK_EVERY_MS = 200

export interface SnapshotParts {
  readonly virsh: Virsh
  readonly domains: Domains
  readonly homes: Homes
  readonly places: Places
  readonly files: StorageFiles
  readonly volumes: Volumes
}

/**
 * Snapshots as whole copies that stand on nothing: a disk has no chain that grows, and each can be removed by itself. Of a guest that
 * runs, libvirt copies all disks as they were at one moment.
 */
export class Snapshots {
  constructor(private readonly parts: SnapshotParts) {}

  /** @returns whether the file systems in it were frozen at that moment */
  async take(asked: SnapshotAsked, signal: AbortSignal): Promise<boolean> {
    const { guest, snapshotId, volumes, quiesce } = asked
    const missing = []
    for (const volume of volumes) {
      const path = this.parts.places.snapshot(volume, snapshotId)
      if ((await this.parts.files.size(path, signal)) === null) missing.push(volume)
    }
    if (missing.length === 0) return false
    const phase = (await this.parts.domains.state(guest.id, { signal }))?.phase
    if (phase === 'running' || phase === 'paused')
      return this.ofRunning({ ...asked, quiesce: quiesce && phase === 'running' }, signal)
    for (const volume of volumes) await this.ofStopped(volume, snapshotId, signal)
    return false
  }

  async remove({ snapshotId, volumes }: RemoveSnapshot, signal: AbortSignal): Promise<boolean> {
    let was = false
    for (const volume of volumes) {
      was = (await this.parts.files.remove(this.parts.places.snapshot(volume, snapshotId), signal)) || was
    }
    return was
  }

  /** What an agent that was killed has left frozen. */
  async thawLeft(guestId: string, signal: AbortSignal): Promise<void> {
    await this.parts.virsh
      .call(['domfsthaw', domainName(guestId)], { signal, deadlineMs: FREEZE_MS })
      .catch(unless(() => true))
    await rm(this.parts.homes.frozen(guestId), { force: true })
  }

  private async ofStopped(volume: VolumePlace, snapshotId: string, signal: AbortSignal): Promise<void> {
    const { files, places, volumes } = this.parts
    const path = places.volume(volume)
    await files.replace(places.snapshot(volume, snapshotId), signal, (partial) =>
      volumes.copy({ path, format: volume.format }, { path: partial, format: 'qcow2' }, signal),
    )
  }

  /** All into files beside their names, in one job; each has its name when the job has ended well. */
  private async ofRunning(
    { guest, snapshotId, volumes, quiesce }: SnapshotAsked,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { files, places } = this.parts
    const copies = volumes.map((volume) => ({
      target: this.targetOf(guest.disks, volume),
      path: places.snapshot(volume, snapshotId),
    }))
    const [first, ...rest] = copies
    if (first === undefined) return false
    let frozen = false
    const nested = async ([next, ...others]: typeof copies): Promise<void> => {
      if (next === undefined) {
        frozen = await this.backUp(guest.id, copies, quiesce, signal)
        return
      }
      await files.replace(next.path, signal, () => nested(others))
    }
    await nested([first, ...rest])
    return frozen
  }

  private targetOf(disks: readonly VolumePlace[], { id }: VolumePlace): string {
    const index = disks.findIndex((disk) => disk.id === id)
    if (index === -1) throw layerFault('volume-failed', `volume ${id} is no disk of the guest`)
    return diskTarget(index)
  }

  private async backUp(
    guestId: string,
    copies: readonly { readonly target: string; readonly path: string }[],
    quiesce: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { virsh, homes } = this.parts
    const domain = domainName(guestId)
    const disks = copies.map(
      ({ target, path }) =>
        `<disk name='${target}' backup='yes' type='file'><driver type='qcow2'/><target file='${escaped(`${path}.new`)}'/></disk>`,
    )
    const description = `${homes.home(guestId)}/backup.xml`
    await writeFileAtomically(
      description,
      `<domainbackup mode='push'><disks>${disks.join('')}</disks></domainbackup>\n`,
    )
    const frozen = quiesce && (await this.freeze(guestId, signal))
    try {
      await virsh.call(['backup-begin', domain, description], { signal }).catch(asVolumeFault)
    } finally {
      if (frozen) await this.thawLeft(guestId, AbortSignal.timeout(FREEZE_MS))
      await rm(description, { force: true })
    }
    await this.untilDone(domain, signal)
    return frozen
  }

  private async freeze(guestId: string, signal: AbortSignal): Promise<boolean> {
    const { virsh, homes } = this.parts
    await writeFileAtomically(homes.frozen(guestId), '')
    try {
      await virsh.call(['domfsfreeze', domainName(guestId)], { signal, deadlineMs: FREEZE_MS })
      return true
    } catch (error) {
      if (!(error instanceof VirshError)) throw error
      await this.thawLeft(guestId, signal)
      return false
    }
  }

  private async untilDone(domain: string, signal: AbortSignal): Promise<void> {
    const { virsh } = this.parts
    for (;;) {
      if (signal.aborted) {
        await virsh.call(['domjobabort', domain]).catch(unless(() => true))
        throw layerFault('volume-failed', 'there was no time left to copy the disks')
      }
      const job = await virsh.call(['domjobinfo', domain], { signal }).catch(asVolumeFault)
      if (/^Job type:\s+None/m.test(job)) break
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
    const ended = await virsh.call(['domjobinfo', domain, '--completed'], { signal }).catch(asVolumeFault)
    if (!/^Job type:\s+Completed/m.test(ended)) throw layerFault('volume-failed', 'the copying of the disks has failed')
  }
}

function asVolumeFault(error: unknown): never {
  throw error instanceof VirshError ? layerFault('volume-failed', error.message) : error
}
