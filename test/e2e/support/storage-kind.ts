import type { Wanted } from './connections.js'
import { AGENT_STATE, type VirtualHost } from './virtual-host.js'
import type { Watched } from './watch.js'

/** One kind of storage, as what holds for all kinds needs it. Target 0 to `targets - 1`: each is another. */
export interface StorageKind {
  readonly scheme: string
  readonly targets: number
  wanted(target: number): Wanted
  /** Where the kernel tells of it. */
  watched(target: number): Watched
  /** Behind the agent's back. */
  takeAway(host: VirtualHost, target: number): Promise<unknown>
  /** As somebody else does who was there before the agent, at the same place. */
  connectByHand(host: VirtualHost, target: number): Promise<unknown>
  disconnectByHand(host: VirtualHost, target: number): Promise<unknown>
  /** Nobody can connect to any target until it is repaired. */
  breakDown(host: VirtualHost): Promise<unknown>
  repair(host: VirtualHost): Promise<unknown>
  /** Prints what is left of connections on the host: nothing, once the last one is let go of. */
  readonly leftovers: string
}

const MOUNTS = `${AGENT_STATE}/mnt`

/** Image files on the guest's own disk. */
export const posixKind: StorageKind = {
  scheme: 'posix',
  targets: 4,
  wanted: (target) => ({ uri: `posix:///srv/images/${target}?fstype=ext4` }),
  watched: (target) => ['mounts', `${MOUNTS}/_srv_images_${target} `],
  takeAway: (host, target) => host.exec(['umount', `${MOUNTS}/_srv_images_${target}`]),
  connectByHand: (host, target) =>
    host.sh(
      `mkdir -p ${MOUNTS}/_srv_images_${target}; mount -o loop /srv/images/${target} ${MOUNTS}/_srv_images_${target}`,
    ),
  disconnectByHand: (host, target) => host.exec(['umount', `${MOUNTS}/_srv_images_${target}`]),
  breakDown: (host) => host.exec(['mv', '/srv/images', '/srv/images.away']),
  repair: (host) => host.exec(['mv', '/srv/images.away', '/srv/images']),
  leftovers: `grep ' ${MOUNTS}/' /proc/self/mountinfo; ls ${MOUNTS}; losetup --all --noheadings`,
}

export const makePosixImages = (host: VirtualHost) =>
  host.sh(
    `mkdir -p /srv/images; cd /srv/images; for n in $(seq 0 ${posixKind.targets - 1}); do truncate -s 16M $n; mkfs.ext4 -q $n; done`,
  )
