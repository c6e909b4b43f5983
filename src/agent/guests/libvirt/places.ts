import { dirname, join, relative } from 'node:path'
import type { ImageFileIntent, ImageIntent, SnapshotOrigin, VolumePlace } from '../../../wire/guests/intent.js'
import type { ImageFileRole } from '../../../wire/guests/terms.js'
import { layerFault } from './faults.js'

/** The directory that shows what a connection holds; null: it is not held here, or holds no files. */
export type DirectoryOf = (connectionId: string) => string | null

/** Where volumes, snapshots and images lie on storage: named by their ids, alike on each host that has the storage. */
export class Places {
  constructor(private readonly directoryOf: DirectoryOf) {}

  volume(place: Pick<VolumePlace, 'id' | 'connectionId' | 'format'>): string {
    return join(this.directory(place.connectionId), 'keelson', 'volumes', `${place.id}.${place.format}`)
  }

  /** A whole copy, that stands on nothing. */
  snapshot(place: Pick<VolumePlace, 'id' | 'connectionId'>, snapshotId: string): string {
    return join(this.directory(place.connectionId), 'keelson', 'snapshots', `${place.id}.${snapshotId}.qcow2`)
  }

  snapshotOf({ volumeId, connectionId, snapshotId }: SnapshotOrigin): string {
    return this.snapshot({ id: volumeId, connectionId }, snapshotId)
  }

  imageFile({ connectionId }: Pick<ImageIntent, 'connectionId'>, { path }: Pick<ImageFileIntent, 'path'>): string {
    return join(this.directory(connectionId), path)
  }

  imageRole(image: ImageIntent, role: ImageFileRole): string | null {
    const file = image.files.find((one) => one.role === role)
    return file === undefined ? null : this.imageFile(image, file)
  }

  private directory(connectionId: string): string {
    const directory = this.directoryOf(connectionId)
    if (directory === null)
      throw layerFault('storage-not-up', `storage connection ${connectionId} shows no directory on this host`)
    return directory
  }
}

/** From one file to another on the same storage: right on each host, wherever that is mounted. */
export const besides = (from: string, to: string): string => relative(dirname(from), to)
