import type { Wanted } from './connections.js'
import type { IscsiServer } from './iscsi-server.js'
import type { NfsServer } from './nfs-server.js'
import { AGENT_STATE, OUTSIDE, type VirtualHost } from './virtual-host.js'
import type { Connected } from './watch.js'

/** One kind of storage, as what holds for all kinds needs it. Target 0 to `TARGETS - 1`: each is another. */
export interface StorageKind {
  wanted(target: number): Wanted
  /** Where the kernel tells of it. */
  watched(target: number): Connected
  /** Behind the agent's back. */
  takeAway(host: VirtualHost, target: number): Promise<unknown>
  /** As somebody else does who was there before the agent, at the same place. */
  connectByHand(host: VirtualHost, target: number): Promise<unknown>
  disconnectByHand(host: VirtualHost, target: number): Promise<unknown>
  /** Nobody can connect to any target until it is repaired. */
  breakDown(): Promise<void>
  repair(): Promise<void>
  /** Prints what is left of connections on the host: nothing, once the last one is let go of. */
  readonly leftovers: string
}

export const TARGETS = 4
const MOUNTS = `${AGENT_STATE}/mnt`

export const nfsExports = Array.from({ length: TARGETS }, (_, n) => `export-${n}`)

export function nfsKind(server: NfsServer): StorageKind {
  const pathOf = (target: number) => `${MOUNTS}/${OUTSIDE}:${server.port}:_${nfsExports[target]}`
  return {
    wanted: (target) => ({ uri: `nfs://${OUTSIDE}:${server.port}/${nfsExports[target]}` }),
    watched: (target) => ['mounts', `${pathOf(target)} `],
    takeAway: (host, target) => host.exec(['umount', pathOf(target)]),
    connectByHand: async (host, target) => {
      const source = `-t nfs -o soft,port=${server.port} ${OUTSIDE}:/${nfsExports[target]}`
      await host.sh(`mkdir -p -m 700 ${MOUNTS} ${pathOf(target)}; mount ${source} ${pathOf(target)}`)
    },
    disconnectByHand: (host, target) => host.exec(['umount', pathOf(target)]),
    breakDown: () => server.kill(),
    repair: () => server.start(),
    leftovers: `grep ' ${MOUNTS}/' /proc/self/mountinfo; ls ${MOUNTS}`,
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
