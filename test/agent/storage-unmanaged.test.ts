import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FaultError } from '../../src/agent/fault.js'
import { parseMountInfo } from '../../src/agent/host/mounts.js'
import type { LeavingTarget } from '../../src/agent/storage/held.js'
import type { IscsiSession } from '../../src/agent/storage/iscsi/sessions.js'
import { type KernelConnection, mountedConnections, readKernelConnections } from '../../src/agent/storage/kernel.js'
import { Lookout } from '../../src/agent/storage/lookout.js'
import {
  boundedSightings,
  itemOf,
  type Recognised,
  unmanagedAmong,
  untoldItems,
  withLeaving,
} from '../../src/agent/storage/sightings.js'
import { MAX_OWN_THINGS } from '../../src/wire/own-things.js'
import { InventoryItem } from '../../src/wire/session.js'
import { parseWire } from '../../src/wire/validate.js'
import { eventually } from '../support/eventually.js'
import { Gate } from './support/gate.js'
import { recordingLogger } from './support/log.js'
import { exportSeen } from './support/mount-table.js'
import { describeAsRoot } from './support/root.js'
import { ScriptedStorage, startKeeper } from './support/storage.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'

const line = (device: string, place: string, type: string, source: string, options = 'rw', root = '/') =>
  `36 22 ${device} ${root} ${place} rw shared:1 - ${type} ${source} ${options}`
const seen = (lines: readonly string[], backing: Record<string, string> = {}) =>
  mountedConnections(parseMountInfo(lines.join('\n')), new Map(Object.entries(backing)))
const uris = (lines: readonly string[], backing?: Record<string, string>) =>
  seen(lines, backing).flatMap(({ uri, mountPoint }) => (uri === null ? [] : `${uri} ${mountPoint}`))

describe('of the mount table', () => {
  it.each([
    ['an NFS export', line('0:40', '/mnt/a', 'nfs4', 'Server:/export/', 'rw,vers=4.2,port=0'), 'nfs://server/export'],
    [
      'one at another port',
      line('0:40', '/mnt/a', 'nfs', 'server:/export', 'rw,port=20490'),
      'nfs://server:20490/export',
    ],
    ['one over IPv6', line('0:40', '/mnt/a', 'nfs', '[fd00::1]:/x'), 'nfs://[fd00::1]/x'],
    ['one with a blank in its path', line('0:40', '/mnt/a', 'nfs', 'server:/a\\040b'), 'nfs://server/a%20b'],
    ['a GlusterFS volume', line('0:41', '/mnt/a', 'fuse.glusterfs', 'server:/volume'), 'glusterfs://server/volume'],
    ['one without a slash', line('0:41', '/mnt/a', 'fuse.glusterfs', 'server:volume'), 'glusterfs://server/volume'],
    ['a CephFS that names a server', line('0:42', '/mnt/a', 'ceph', 'mon:/dir'), /^ceph:\/\/mon.*\/dir$/],
    ['a CephFS that names none', line('0:42', '/mnt/a', 'fuse.ceph-fuse', 'ceph-fuse'), 'ceph:ceph-fuse'],
    ['a filesystem on a device', line('8:17', '/mnt/a', 'ext4', '/dev/sdb1'), 'posix:///dev/sdb1?fstype=ext4'],
    ['one in an image', line('7:0', '/mnt/a', 'xfs', '/dev/loop0'), 'posix:///srv/disk.img?fstype=xfs'],
  ])('%s is a storage connection', (_, mount, uri) => {
    expect(uris([mount], { '/dev/loop0': '/srv/disk.img' })).toEqual([
      typeof uri === 'string'
        ? `${uri} /mnt/a`
        : expect.stringMatching(new RegExp(`${uri.source.slice(0, -1)} /mnt/a$`)),
    ])
  })

  it.each([
    ['what is no storage of ours', line('0:50', '/mnt/a', 'tmpfs', 'tmpfs')],
    ['what a FUSE program shows', line('0:51', '/mnt/a', 'fuse.sshfs', 'server:/x')],
    ['a filesystem without a device', line('0:52', '/mnt/a', 'btrfs', 'none')],
    ['the root', line('8:1', '/', 'ext4', '/dev/sda1')],
    ['a root over the network', line('0:53', '/', 'nfs', 'server:/root')],
    ['what is booted from', line('8:2', '/boot/efi', 'vfat', '/dev/sda2')],
    ['the home directories', line('8:3', '/home', 'ext4', '/dev/sda3')],
    ['a snap', line('7:1', '/snap/core/1', 'squashfs', '/dev/loop1')],
    ['what stands under /run', line('8:4', '/run/media/usb', 'vfat', '/dev/sdc1')],
    ['a broken line', '36 22 8:1 / /mnt'],
  ])('%s is none', (_, mount) => {
    expect(uris([mount])).toEqual([])
  })

  it('the filesystem of the system is none wherever else it is mounted', () => {
    const bound = line('8:1', '/mnt/etc', 'ext4', '/dev/sda1', 'rw', '/etc')
    expect(uris([line('8:1', '/', 'ext4', '/dev/sda1'), bound, line('8:3', '/home/a', 'ext4', '/dev/sdd1')])).toEqual([
      'posix:///dev/sdd1?fstype=ext4 /home/a',
    ])
  })
})

const mount = (device: string, mountPoint: string, uri = `nfs://server/${device}`): KernelConnection =>
  exportSeen(device, mountPoint, uri)
const mounts = (count: number) => Array.from({ length: count }, (_, n) => mount(`0:${n}`, `/${n}`))
const known = (more: Partial<Recognised> = {}): Recognised => ({ how: 'itself', leaving: null, ...more })
const leaving: LeavingTarget = {
  target: 'posix:///srv/a?fstype=bind',
  status: 'DISCONNECTING',
  preexisting: false,
  fault: { type: 'disconnect', message: 'target is busy', number: 452, at: '2026-01-31T12:00:00.000Z' },
}

describe('a connection that no id holds', () => {
  const nobody = () => null

  it('is listed once, at the first of its places, under an id that stays', () => {
    const look = () => unmanagedAmong([mount('0:1', '/a'), mount('0:1', '/b'), mount('0:2', '/c')], nobody)
    expect(look().map(({ mountPoint }) => mountPoint)).toEqual(['/a', '/c'])
    expect(look()).toEqual(look())
    expect(new Set(look().map(({ id }) => id)).size).toBe(2)
  })

  it('is not what an id holds, at none of its places', () => {
    const seen = [mount('0:1', '/elsewhere'), mount('0:1', '/held'), mount('0:2', '/c')]
    const found = unmanagedAmong(seen, (c) => (c.kind === 'mount' && c.mountPoint === '/held' ? known() : null))
    expect(found.map(({ mountPoint }) => mountPoint)).toEqual(['/c'])
  })

  it('is what an id shows only a part of', () => {
    const seen = [mount('0:1', '/bound'), mount('0:1', '/whole')]
    for (const inOrder of [seen, [...seen].reverse()]) {
      const found = unmanagedAmong(inOrder, (c) =>
        c.kind === 'mount' && c.mountPoint === '/bound' ? known({ how: 'view' }) : null,
      )
      expect(found.map(({ mountPoint }) => mountPoint)).toEqual(['/whole'])
    }
  })

  it('is what is being let go of, with the reason why it is not gone', () => {
    const { target: uri, status, fault } = leaving
    const [found] = unmanagedAmong([mount('0:1', '/a')], () => known({ leaving }))
    expect(found).toMatchObject({ uri, mountPoint: '/a', leaving: true, status, fault })
    expect(itemOf(found!).detail).toMatchObject({ uri, target: uri, mountPoint: '/a', leaving: true })
  })

  it.each(['itself', 'view'] as const)(
    'is what is being let go of, %s, at each place of the same filesystem',
    (how) => {
      const seen = ['/a', '/leaving', '/b'].map((place) => mount('0:1', place))
      for (const inOrder of [seen, [...seen].reverse()]) {
        const found = unmanagedAmong(inOrder, (c) =>
          c.kind === 'mount' && c.mountPoint === '/leaving' ? known({ how, leaving }) : null,
        )
        const others = found.filter(({ mountPoint }) => mountPoint !== '/leaving')
        expect(others).toHaveLength(how === 'view' ? 1 : 0)
        expect(found).toContainEqual(expect.objectContaining({ mountPoint: '/leaving', uri: leaving.target }))
      }
    },
  )

  it('is what is being let go of on a filesystem of the system, and nothing else there', () => {
    const lines = [
      line('0:1', '/', 'overlay', 'overlay'),
      line('0:1', '/leaving', 'overlay', 'overlay', 'rw', '/srv/a'),
    ]
    const found = unmanagedAmong(seen(lines), (c) =>
      c.kind === 'mount' && c.mountPoint === '/leaving' ? known({ how: 'view', leaving }) : null,
    )
    expect(found).toMatchObject([{ uri: leaving.target, mountPoint: '/leaving', status: 'DISCONNECTING' }])
  })

  it('is an iSCSI session, connected as far as it is logged in', () => {
    const session: IscsiSession = {
      sid: 1,
      name: 'iqn.2026-01.org.example:y',
      portalGroup: 1,
      iface: 'default',
      state: '',
      replacementTimeoutS: 120,
      persistentAddress: '10.0.0.9',
      persistentPort: 3260,
      address: '10.0.0.9',
    }
    const uri = 'iscsi://10.0.0.9/iqn.2026-01.org.example:y;portal=1'
    const found = (state: string) => unmanagedAmong([{ kind: 'session', uri, session: { ...session, state } }], nobody)
    expect(found('LOGGED_IN')).toMatchObject([{ uri, mountPoint: null, status: 'UP', fault: null }])
    expect(found('FAILED')).toMatchObject([{ status: 'DOWN', fault: { message: expect.stringContaining('FAILED') } }])
  })

  it('fits the wire', () => {
    const [found] = unmanagedAmong([mount('0:1', '/0')], nobody)
    expect(parseWire(InventoryItem, itemOf(found!))).toMatchObject({ origin: 'host', detail: { mountPoint: '/0' } })
  })

  it('is counted where there are more than may be told, and told first where it is being let go of', () => {
    const all = unmanagedAmong(mounts(MAX_OWN_THINGS + 5), (c) =>
      c.uri === `nfs://server/0:1003` ? known({ leaving }) : null,
    )
    const { told, untold } = boundedSightings(all)
    expect([told.length, untold]).toEqual([MAX_OWN_THINGS, 5])
    expect(told[0]).toMatchObject({ leaving: true, mountPoint: '/1003' })
    expect(untoldItems(untold).map((item) => parseWire(InventoryItem, item).detail)).toEqual([{ count: 5 }])
    expect(untoldItems(0)).toEqual([])
  })

  it('is what could not be let go of, also where the kernel’s tables do not show it', async () => {
    const storage = new ScriptedStorage()
    storage.before.disconnect = () => {
      throw new FaultError('disconnect', 'target is busy', 452)
    }
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage({ connectionId: 'c1', uri: 'local:///srv', options: {} }, 1)
    await eventually(() => expect(status('c1')).toBe('UP'))
    await keeper.unmanage('c1')
    const told = (seen: readonly KernelConnection[]) =>
      withLeaving(
        unmanagedAmong(seen, (c) => keeper.recognise(c)),
        keeper.leaving(),
      )
    const fault = { type: 'disconnect', message: 'target is busy', number: 452, at: expect.any(String) }
    await eventually(() =>
      expect(told([])).toMatchObject([
        { uri: 'local:///srv', leaving: true, status: 'DISCONNECTING', mountPoint: null, fault },
      ]),
    )
    expect(told([mount('0:1', '/a', 'local:///srv')])).toMatchObject([{ leaving: true, mountPoint: '/a' }])
  })

  it('is not told with what was wrong with it while it was wanted', async () => {
    const storage = new ScriptedStorage()
    const gate = new Gate()
    storage.seen = { seen: 'degraded', fault: { type: 'read-only', message: 'it can only be read', number: 100 } }
    storage.before.disconnect = () => gate.passed
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage({ connectionId: 'c1', uri: 'local:///srv', options: {} }, 1)
    await eventually(() => expect(status('c1')).toBe('DEGRADED'))
    await keeper.unmanage('c1')
    await eventually(() => expect(keeper.leaving()).toMatchObject([{ status: 'DISCONNECTING' }]))
    expect(withLeaving([], keeper.leaving())).toEqual([])
    gate.open()
  })

  it('is none any more once an id holds it, and one again while it is let go of', async () => {
    const storage = new ScriptedStorage()
    const gate = new Gate()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    const shown = () => unmanagedAmong([mount('0:1', '/a', 'local:///srv')], (c) => keeper.recognise(c))
    expect(shown()).toMatchObject([{ status: 'UP' }])
    await keeper.manage({ connectionId: 'c1', uri: 'local:///srv', options: {} }, 1)
    await eventually(() => expect(status('c1')).toBe('UP'))
    expect(shown()).toEqual([])
    storage.before.disconnect = () => gate.passed
    await keeper.unmanage('c1')
    await eventually(() =>
      expect(shown()).toMatchObject([{ status: 'DISCONNECTING', leaving: true, uri: 'local:///srv' }]),
    )
    gate.open()
  })
})

describe('the lookout', () => {
  const start = (look: () => Promise<readonly KernelConnection[]>) => {
    const logger = recordingLogger()
    let changes = 0
    const lookout = new Lookout({
      look,
      recognise: () => null,
      leaving: () => [],
      everyMs: () => 10,
      onChange: () => {
        changes += 1
      },
      logger,
    })
    whenTestEnds(async () => lookout.stop())
    lookout.start()
    return { lookout, logger, changes: () => changes }
  }

  it('tells of a change, and of nothing else', async () => {
    const kernel: KernelConnection[] = []
    let looks = 0
    const { lookout, changes } = start(async () => {
      looks += 1
      return kernel
    })
    await eventually(() => expect(looks).toBeGreaterThan(3))
    expect(changes()).toBe(0)
    kernel.push(mount('0:1', '/a'))
    await eventually(() => expect(lookout.seen).toHaveLength(1))
    const after = looks
    await eventually(() => expect(looks).toBeGreaterThan(after + 3))
    expect(changes()).toBe(1)
  })

  it('says once in the log that there are more than are told of, and when all are again', async () => {
    const kernel = mounts(MAX_OWN_THINGS + 2)
    let looks = 0
    const { lookout, logger, changes } = start(async () => {
      looks += 1
      return [...kernel]
    })
    await eventually(() => expect(lookout.untold).toBe(2))
    expect(lookout.seen).toHaveLength(MAX_OWN_THINGS)
    kernel.pop()
    await eventually(() => expect(lookout.untold).toBe(1))
    expect(changes()).toBe(2)
    const after = looks
    await eventually(() => expect(looks).toBeGreaterThan(after + 1))
    expect(logger.lines).toMatchObject([
      {
        level: 'warn',
        message: expect.stringContaining('more unmanaged'),
        fields: { told: MAX_OWN_THINGS, untold: 2 },
      },
    ])
    kernel.pop()
    await eventually(() => expect(logger.lines).toHaveLength(2))
    expect(lookout.untold).toBe(0)
  })

  it('goes on where a look fails, with what it saw last', async () => {
    let broken = false
    const { lookout, logger } = start(async () => {
      if (broken) throw new Error('EIO')
      return [mount('0:1', '/a')]
    })
    expect(await lookout.fresh()).toHaveLength(1)
    broken = true
    await eventually(() => expect(logger.lines.length).toBeGreaterThan(1))
    expect(await lookout.fresh()).toHaveLength(1)
  })

  it('lets nobody wait for a look that hangs', async () => {
    const { lookout } = start(() => new Promise(() => undefined))
    const startedMs = performance.now()
    expect(await lookout.fresh()).toEqual([])
    expect(performance.now() - startedMs).toBeLessThan(20_000)
  })
})

describeAsRoot('on this machine', () => {
  it('sees an image that somebody has mounted, by the name of its file, and never what it runs on', async () => {
    const directory = await temporaryDirectory()
    const [file, place] = [join(directory, 'a b.img'), join(directory, 'mnt')]
    writeFileSync(file, Buffer.alloc(4 * 1024 * 1024))
    mkdirSync(place)
    execFileSync('mkfs.ext4', ['-q', file])
    execFileSync('mount', ['-o', 'loop', file, place])
    whenTestEnds(async () => void execFileSync('umount', [place]))
    const connections = await readKernelConnections()
    expect(connections).toContainEqual(
      expect.objectContaining({ uri: `posix://${directory}/a%20b.img?fstype=ext4`, mountPoint: place }),
    )
    const ofRoot = connections.filter((c) => c.kind === 'mount' && c.mountPoint === '/')
    expect(ofRoot.filter(({ uri }) => uri !== null)).toEqual([])
  })
})
