import type { EnsureSeed } from '../../wire/guests/commands.js'
import type { GuestIntent, ImageIntent, NicIntent, VolumeIntent, VolumePlace } from '../../wire/guests/intent.js'
import { networkFrom } from '../balancing/tree.queries.js'
import type { NicOnNetwork, WholeGuest } from './guest-parts.js'
import type { Image } from './image.entity.js'
import type { Volume } from './volume.entity.js'

export const imageIntent = ({ id, format, connectionId, files }: Image): ImageIntent => ({
  id,
  format,
  connectionId,
  files: files.map(({ role, path, url, sha256 }) => ({ role, path, url, sha256 })),
})

export const volumePlace = ({ id, connectionId, format }: Volume): VolumePlace => ({ id, connectionId, format })

export const volumeIntent = (volume: Volume, image: Image | null): VolumeIntent => ({
  ...volumePlace(volume),
  sizeMiB: volume.sizeMib,
  origin: originOf(volume, image),
})

function originOf({ imageId, snapshotOrigin }: Volume, image: Image | null): VolumeIntent['origin'] {
  if (snapshotOrigin) return { image: null, snapshot: snapshotOrigin }
  return image && imageId === image.id ? { image: imageIntent(image), snapshot: null } : null
}

const nicIntent = ({ mac, address, network }: NicOnNetwork): NicIntent => ({
  mac,
  address,
  network: networkFrom(network),
})

/** All connections that it cannot be without (S12, U4). */
export const connectionsOf = (
  image: Pick<Image, 'connectionId'>,
  volumes: readonly (Pick<Volume, 'connectionId'> & Partial<Pick<Volume, 'snapshotOrigin' | 'provisioningStatus'>>)[],
): string[] => {
  const origins = volumes
    .filter(({ provisioningStatus }) => provisioningStatus === 'PENDING_CREATE')
    .flatMap(({ snapshotOrigin }) => snapshotOrigin?.connectionId ?? [])
  return [...new Set([image.connectionId, ...volumes.map(({ connectionId }) => connectionId), ...origins])]
}

/** Cloud-init reads it; what starts a kernel directly has one only where there is something to be said. */
export const hasSeed = ({ guest, image }: Pick<WholeGuest, 'guest' | 'image'>): boolean =>
  image.format !== 'kernel' || guest.sealedUserData !== null || guest.sshKeys.length > 0

/** Without what is secret of it. */
export const seedOf = ({ guest, image, nics }: WholeGuest): EnsureSeed => ({
  guestId: guest.id,
  instanceId: `${guest.id}.${guest.build}`,
  hostname: guest.name,
  nics: nics.map(nicIntent),
  sshKeys: guest.sshKeys,
  defaultUser: image.defaultUser,
})

export const guestIntent = (whole: WholeGuest): GuestIntent => {
  const { guest, image, volumes, nics } = whole
  return {
    id: guest.id,
    name: guest.name,
    vcpus: guest.vcpus,
    memoryMiB: guest.memoryMib,
    disks: volumes.map(volumePlace),
    nics: nics.map(nicIntent),
    kernel: image.format === 'kernel' ? { image: imageIntent(image), commandLine: image.commandLine } : null,
    seed: hasSeed(whole),
    channel: image.hasAgent,
    power: guest.power,
    stopGraceMs: guest.stopGraceMs,
    restartPolicy: guest.restartPolicy,
  }
}
