import type { Wanted } from './connections.js'
import type { IscsiServer } from './iscsi-server.js'
import type { NfsServer } from './nfs-server.js'
import { AGENT_STATE, OUTSIDE, type VirtualHost } from './virtual-host.js'
import type { Watched } from './watch.js'

/** One kind of storage, as what holds for all kinds needs it. Target 0 to `TARGETS - 1`: each is another. */
export interface StorageKind {
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

export const TARGETS = 4
const MOUNTS = `${AGENT_STATE}/mnt`

/** What is unmounted, and mounted by hand, at the place where the agent would. */
const mounted = (placeOf: (target: number) => string) => ({
  watched: (target: number): Watched => ['mounts', `${MOUNTS}/${placeOf(target)} `],
  takeAway: (host: VirtualHost, target: number) => host.exec(['umount', `${MOUNTS}/${placeOf(target)}`]),
  disconnectByHand: (host: VirtualHost, target: number) => host.exec(['umount', `${MOUNTS}/${placeOf(target)}`]),
  leftovers: `grep ' ${MOUNTS}/' /proc/self/mountinfo; ls ${MOUNTS}; losetup --all --noheadings`,
})

const mountByHand = (host: VirtualHost, place: string, words: string) =>
  host.sh(`mkdir -p -m 700 ${MOUNTS} ${MOUNTS}/${place}; mount ${words} ${MOUNTS}/${place}`)

/** Image files on the guest's own disk. */
export async function posixKind(host: VirtualHost): Promise<StorageKind> {
  await host.sh('mkdir -p /srv/images')
  for (let n = 0; n < TARGETS; n += 1) await host.sh(`truncate -s 16M /srv/images/${n}; mkfs.ext4 -q /srv/images/${n}`)
  const placeOf = (target: number) => `_srv_images_${target}`
  return {
    ...mounted(placeOf),
    wanted: (target) => ({ uri: `posix:///srv/images/${target}?fstype=ext4` }),
    connectByHand: (_, target) => mountByHand(host, placeOf(target), `-o loop /srv/images/${target}`),
    breakDown: () => host.exec(['mv', '/srv/images', '/srv/images.away']),
    repair: () => host.exec(['mv', '/srv/images.away', '/srv/images']),
  }
}

export const nfsExports = Array.from({ length: TARGETS }, (_, n) => `export-${n}`)

export function nfsKind(server: NfsServer): StorageKind {
  const placeOf = (target: number) => `${OUTSIDE}:${server.port}:_${nfsExports[target]}`
  return {
    ...mounted(placeOf),
    wanted: (target) => ({ uri: `nfs://${OUTSIDE}:${server.port}/${nfsExports[target]}` }),
    connectByHand: (host, target) =>
      mountByHand(host, placeOf(target), `-t nfs -o soft,port=${server.port} ${OUTSIDE}:/${nfsExports[target]}`),
    breakDown: () => server.kill(),
    repair: () => server.start(),
  }
}

export const iscsiNames = Array.from({ length: TARGETS }, (_, n) => `iqn.2026-11.org.example:disk-${n}`)

export function iscsiKind(server: IscsiServer): StorageKind {
  const nameOf = (target: number) => iscsiNames[target]!
  const node = (host: VirtualHost, target: number, ...words: string[]) =>
    host.exec(['iscsiadm', '-m', 'node', '-T', nameOf(target), '-p', `${OUTSIDE}:${server.ports[0]}`, ...words])
  return {
    wanted: (target) => ({ uri: `iscsi://${OUTSIDE}:${server.ports[0]}/${nameOf(target)}` }),
    watched: (target) => ['sessions', nameOf(target)],
    takeAway: (host, target) => node(host, target, '--logout'),
    connectByHand: async (host, target) => {
      await node(host, target, '-o', 'new')
      await node(host, target, '--login')
    },
    disconnectByHand: async (host, target) => {
      await node(host, target, '--logout')
      await node(host, target, '-o', 'delete')
    },
    breakDown: () => server.kill(),
    repair: () => server.start(),
    leftovers: 'ls /sys/class/iscsi_session; find /etc/iscsi/nodes /var/lib/iscsi/nodes -type f',
  }
}
