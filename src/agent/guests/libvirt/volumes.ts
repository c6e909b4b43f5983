import type { VolumeEnsured } from '../../../wire/guests/commands.js'
import type { VolumeIntent, VolumePlace } from '../../../wire/guests/intent.js'
import { FaultError } from '../../fault.js'
import { domainName } from './domain-xml.js'
import type { Domains } from './domains.js'
import { layerFault } from './faults.js'
import { besides, type Places } from './places.js'
import { diskInfo } from './qemu-img.js'
import type { StorageFiles } from './storage-files.js'
import type { Virsh } from './virsh.js'
import { escaped } from './xml.js'

const MIB = 1_048_576
const RESIZE_MS = 60_000

/** Disks of guests as files on storage: made whole or not at all, and only ever grown. */
export class Volumes {
  constructor(
    private readonly files: StorageFiles,
    private readonly places: Places,
    private readonly virsh: Virsh,
    private readonly domains: Domains,
  ) {}

  async ensure(volume: VolumeIntent, signal: AbortSignal): Promise<VolumeEnsured> {
    const path = this.places.volume(volume)
    const made = (await this.files.size(path, signal)) === null
    if (made) await this.files.replace(path, signal, (partial) => this.make(volume, path, partial, signal))
    const wanted = volume.sizeMiB * MIB
    const { virtualBytes } = await diskInfo(this.files, { path, format: volume.format }, signal)
    if (virtualBytes < wanted) await this.grow(path, volume, signal)
    return { made, sizeMiB: Math.floor(Math.max(virtualBytes, wanted) / MIB) }
  }

  async remove(place: VolumePlace, signal: AbortSignal): Promise<boolean> {
    const path = this.places.volume(place)
    const user = await this.userOf(path)
    if (user !== null) throw layerFault('volume-failed', `guest ${user} runs on volume ${place.id}`)
    return this.files.remove(path, signal)
  }

  private async make(volume: VolumeIntent, path: string, partial: string, signal: AbortSignal): Promise<void> {
    const { format, origin } = volume
    const image = origin?.image ?? null
    if (origin?.snapshot) {
      const from = this.places.snapshotOf(origin.snapshot)
      if ((await this.files.size(from, signal)) === null)
        throw layerFault(
          'volume-failed',
          `volume ${origin.snapshot.volumeId} has no snapshot ${origin.snapshot.snapshotId}`,
        )
      await this.copy({ path: from, format: 'qcow2' }, { path: partial, format }, signal)
    } else if (image !== null) {
      const from = this.places.imageRole(image, 'disk')
      if (from === null || image.format === 'kernel') throw layerFault('image-bad', `image ${image.id} has no disk`)
      if (format === 'raw') await this.copy({ path: from, format: image.format }, { path: partial, format }, signal)
      else {
        const backing = image.connectionId === volume.connectionId ? besides(path, from) : from
        await this.create(['-b', backing, '-F', image.format, partial], signal)
      }
    } else await this.create([partial, `${volume.sizeMiB}M`], signal, format)
  }

  private async create(args: readonly string[], signal: AbortSignal, format = 'qcow2'): Promise<void> {
    await this.files.must('qemu-img', ['create', '-q', '-f', format, ...args], signal)
  }

  async copy(
    from: { readonly path: string; readonly format: string },
    to: { readonly path: string; readonly format: string },
    signal: AbortSignal,
  ): Promise<void> {
    const args = ['convert', '-q', '-f', from.format, '-O', to.format, from.path, to.path]
    await this.files.must('qemu-img', args, signal)
  }

  private async grow(path: string, { format, sizeMiB }: VolumeIntent, signal: AbortSignal): Promise<void> {
    const user = await this.userOf(path)
    if (user === null) {
      await this.files.must('qemu-img', ['resize', '-q', '-f', format, path, `${sizeMiB}M`], signal)
      return
    }
    const args = ['blockresize', domainName(user), path, `${sizeMiB}MiB`]
    await this.virsh.call(args, { signal, deadlineMs: RESIZE_MS }).catch((error: unknown) => {
      throw error instanceof FaultError ? layerFault('volume-failed', error.message) : error
    })
  }

  /** The guest that has it open; null: none of ours. */
  async userOf(path: string): Promise<string | null> {
    const states = await this.domains.all().catch(() => new Map<string, never>())
    for (const [id, { phase }] of states) {
      if (phase !== 'running' && phase !== 'paused') continue
      if ((await this.domains.xml(id, 'live'))?.includes(`'${escaped(path)}'`)) return id
    }
    return null
  }
}
