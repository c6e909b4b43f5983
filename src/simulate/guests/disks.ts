import type { VolumeIntent, VolumePlace } from '../../wire/guests/intent.js'

const keyOf = ({ connectionId, id }: Pick<VolumePlace, 'connectionId' | 'id'>): string => `${connectionId}/${id}`

/** Volumes as names and sizes: what hosts of one simulation have on storage of one id, they have in common. */
export class SimulatedDisks {
  private readonly volumes = new Map<string, { sizeMiB: number; readonly snapshots: Set<string> }>()

  get ids(): readonly string[] {
    return [...this.volumes.keys()].map((key) => key.slice(key.lastIndexOf('/') + 1))
  }

  sizeOf(place: Pick<VolumePlace, 'connectionId' | 'id'>): number | null {
    return this.volumes.get(keyOf(place))?.sizeMiB ?? null
  }

  /** @returns whether it had to be made */
  ensure(volume: VolumeIntent): boolean {
    const known = this.volumes.get(keyOf(volume))
    if (known === undefined) this.volumes.set(keyOf(volume), { sizeMiB: volume.sizeMiB, snapshots: new Set() })
    else known.sizeMiB = Math.max(known.sizeMiB, volume.sizeMiB)
    return known === undefined
  }

  remove(place: VolumePlace): boolean {
    return this.volumes.delete(keyOf(place))
  }

  snapshot(place: VolumePlace, snapshotId: string): void {
    this.volumes.get(keyOf(place))?.snapshots.add(snapshotId)
  }

  removeSnapshot(place: VolumePlace, snapshotId: string): boolean {
    return this.volumes.get(keyOf(place))?.snapshots.delete(snapshotId) ?? false
  }

  hasSnapshot(place: Pick<VolumePlace, 'connectionId' | 'id'>, snapshotId: string): boolean {
    return this.volumes.get(keyOf(place))?.snapshots.has(snapshotId) ?? false
  }
}
