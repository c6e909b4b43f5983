import { mkdirSync, writeFileSync } from 'node:fs'
import { eventually } from '../../support/eventually.js'
import type { Ground } from '../../trial/support/ground.js'
import { Namespace } from './namespace.js'

const PATIENCE = { timeoutMs: 60_000, intervalMs: 200 }
const OSD = '5f9e1f64-0000-4000-8000-000000000001'
const daemons = ['ceph-mon', 'ceph-osd', 'ceph-mds'] as const

/** The keys of its daemons are made beforehand, so that each finds its own when it starts. */
const script = `
export CEPH_CONF="$root/ceph.conf"
cd "$root"
sed -i "s/ADDRESS/$address/g" ceph.conf
key() { ceph-authtool --create-keyring "$1.keyring" --gen-key -n "$2" "\${@:3}"; }
key mon mon. --cap mon 'allow *'
key admin client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mds 'allow *'
key osd osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
key mds mds.a --cap mon 'allow profile mds' --cap osd 'allow *' --cap mds 'allow *'
for each in admin osd mds; do ceph-authtool mon.keyring --import-keyring "$each.keyring"; done
ceph-mon --mkfs -i a --keyring mon.keyring
ceph-mon -i a -f --keyring mon.keyring &
until ceph --connect-timeout 5 osd new ${OSD} 0; do sleep 0.2; done
ceph-osd -i 0 --mkfs --osd-uuid ${OSD}
ceph-osd -i 0 -f &
ceph-mds -i a -f &
ceph osd pool create meta 1
ceph osd pool create data 1
ceph fs new files meta data
wait
`

const conf = (root: string) => `[global]
fsid = 5f9e1f64-0000-4000-8000-000000000000
mon host = [v2:ADDRESS:3300,v1:ADDRESS:6789]
public addr = ADDRESS
mon initial members = a
mon data = ${root}/mon
mon data avail crit = 0
mon cluster log file = /dev/null
mon allow pool size one = true
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
run dir = ${root}
admin socket = ${root}/$name.sock
pid file =
log file = /dev/null
keyring = ${root}/admin.keyring
[osd]
osd objectstore = memstore
memstore device bytes = 134217728
osd data = ${root}/osd
osd class load list = *
keyring = ${root}/osd.keyring
[mds]
keyring = ${root}/mds.keyring
`

/** A Ceph cluster of one monitor, one disk in memory and one metadata server, with the file system `files`; no manager. */
export class CephCluster {
  private constructor(
    private readonly space: Namespace,
    private readonly root: string,
  ) {}

  static async start(ground: Ground): Promise<CephCluster> {
    const root = ground.makeDirectory('ceph')
    for (const directory of ['mon', 'osd']) mkdirSync(`${root}/${directory}`)
    writeFileSync(`${root}/ceph.conf`, conf(root))
    const cluster = new CephCluster(await Namespace.start(ground, script, root), root)
    await eventually(() => {
      const seen = cluster.ceph('mds', 'stat')
      if (!seen.includes('up:active')) throw new Error(`${seen}${cluster.space.stderr}`)
    }, PATIENCE)
    return cluster
  }

  get address(): string {
    return this.space.address
  }

  /** The key of a client, which is made where there is none. @param caps of what, and what it may */
  key(client: string, ...caps: readonly string[]): string {
    this.ceph('auth', 'get-or-create', `client.${client}`, ...caps)
    return this.ceph('auth', 'get-key', `client.${client}`).trim()
  }

  /** To all of its daemons. */
  signal(signal: NodeJS.Signals): void {
    for (const daemon of daemons) this.space.signal(daemon, signal)
  }

  /** Shuts each client out, as one that was not heard of for too long is. Fails where one goes by itself meanwhile. */
  evictClients(): void {
    const sessions = JSON.parse(this.ceph('tell', 'mds.a', 'session', 'ls')) as { readonly id: number }[]
    for (const { id } of sessions) this.ceph('tell', 'mds.a', 'session', 'evict', `id=${id}`)
  }

  stop(): Promise<void> {
    return this.space.stop()
  }

  private ceph(...args: readonly string[]): string {
    return this.space.run('ceph', '--conf', `${this.root}/ceph.conf`, '--connect-timeout', '5', ...args)
  }
}
