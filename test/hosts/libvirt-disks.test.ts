import { execFileSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ImageIntent } from '../../src/wire/guests/intent.js'
import { itInFull } from './support/full.js'
import { faultType, GuestBench, guestPrograms, never } from './support/guest-bench.js'
import { describeWith } from './support/needs.js'

describeWith(guestPrograms, 'what guests of libvirt have on storage', () => {
  let bench: GuestBench

  beforeAll(async () => {
    bench = await GuestBench.start()
  }, 180_000)
  afterAll(() => bench.end())
  afterEach(() => bench.removeAll())

  const path = (...names: string[]) => join(bench.storage, ...names)
  const info = (file: string) =>
    JSON.parse(execFileSync('qemu-img', ['info', '-U', '--output=json', file], { encoding: 'utf8' })) as Record<
      string,
      unknown
    >

  function diskImage(
    format: 'qcow2' | 'raw',
    name: string,
    more: Partial<ImageIntent['files'][number]> = {},
  ): ImageIntent {
    const file = { role: 'disk' as const, path: name, url: null, sha256: null, ...more }
    return { id: randomUUID(), format, connectionId: 'disks', files: [file] }
  }

  it('is an overlay on its image by a name that is right wherever the storage is mounted, and is only ever grown', async () => {
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path('images', 'base.qcow2'), '20M'])
    const image = diskImage('qcow2', 'images/base.qcow2')
    expect(await bench.driver.ensureImage(image, never)).toMatchObject({ minDiskMiB: 20 })
    const volume = bench.volume({ sizeMiB: 30, origin: { image, snapshot: null } })
    expect(await bench.driver.ensureVolume(volume, never)).toEqual({ made: true, sizeMiB: 30 })
    expect(await bench.driver.ensureVolume({ ...volume, sizeMiB: 10 }, never)).toEqual({ made: false, sizeMiB: 30 })
    const file = path('keelson', 'volumes', `${volume.id}.qcow2`)
    expect(info(file)).toMatchObject({ 'backing-filename': '../../images/base.qcow2', 'virtual-size': 30 * 1_048_576 })
    expect(await bench.driver.ensureVolume({ ...volume, sizeMiB: 40 }, never)).toEqual({ made: false, sizeMiB: 40 })
    expect(await bench.driver.removeVolume(volume, never)).toBe(true)
    expect(await bench.driver.removeVolume(volume, never)).toBe(false)
  })

  it('is refused as an image where it is something else, or names a file of the host', async () => {
    execFileSync('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-F',
      'raw',
      '-b',
      '/etc/passwd',
      path('images', 'evil.qcow2'),
      '1M',
    ])
    writeFileSync(path('images', 'text'), 'no disk')
    const ensured = (image: ImageIntent) => faultType(bench.driver.ensureImage(image, never))
    expect(await ensured(diskImage('qcow2', 'images/evil.qcow2'))).toBe('image-bad')
    expect(await ensured(diskImage('qcow2', 'images/text'))).toBe('image-bad')
    expect(await ensured(diskImage('raw', 'images/nothing'))).toBe('image-bad')
    expect(await ensured(diskImage('raw', 'images/text', { sha256: '0'.repeat(64) }))).toBe('image-bad')
  })

  describe('fetched from somewhere', () => {
    let server: Server
    const content = Buffer.alloc(1_048_576, 'disk')
    beforeEach(async () => {
      server = createServer((request, response) => {
        if (request.url === '/disk.raw') response.end(content)
        else response.writeHead(404).end()
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    })
    afterEach(() => new Promise((resolve) => server.close(resolve)))

    it('is whole and what its checksum says, or is not there at all', async () => {
      const at = (name: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`
      const sha256 = createHash('sha256').update(content).digest('hex')
      const good = diskImage('raw', 'images/fetched/disk.raw', { url: at('disk.raw'), sha256 })
      const wrong = diskImage('raw', 'images/fetched/wrong.raw', { url: at('disk.raw'), sha256: '0'.repeat(64) })
      const gone = diskImage('raw', 'images/fetched/gone.raw', { url: at('gone') })
      expect(await faultType(bench.driver.ensureImage(wrong, never))).toBe('image-bad')
      expect(await faultType(bench.driver.ensureImage(gone, never))).toBe('image-bad')
      expect(await bench.driver.ensureImage(good, never)).toEqual({ sizeBytes: 1_048_576, minDiskMiB: 1 })
      expect(readdirSync(path('images', 'fetched'))).toEqual(['disk.raw'])
      expect(await bench.driver.removeImage(good, never)).toBe(true)
      expect(readdirSync(path('images', 'fetched'))).toEqual([])
    })
  })

  itInFull(
    'is kept by a snapshot as it was at that moment, for clones, while the guest writes on',
    async () => {
      const volume = bench.volume()
      await bench.driver.ensureVolume(volume, never)
      const guest = await bench.apply(bench.guest({ disks: [volume] }))
      await bench.output(guest, 'echo before > /data/before')
      const snapshotId = randomUUID()
      const asked = { guest, snapshotId, volumes: [volume], quiesce: true }
      expect(await bench.driver.snapshot(asked, never)).toBe(true)
      await bench.output(guest, 'echo after > /data/after; sync')
      expect(await bench.driver.snapshot(asked, never)).toBe(false)
      const origin = {
        image: null,
        snapshot: { volumeId: volume.id, connectionId: 'disks', format: 'qcow2' as const, snapshotId },
      }
      const clone = bench.volume({ origin })
      await bench.driver.ensureVolume(clone, never)
      expect(
        await faultType(
          bench.driver.ensureVolume(
            bench.volume({ origin: { image: null, snapshot: { ...origin.snapshot, snapshotId: randomUUID() } } }),
            never,
          ),
        ),
      ).toBe('volume-failed')
      expect(await faultType(bench.driver.removeVolume(volume, never))).toBe('volume-failed')
      await bench.driver.remove(guest.id, never)
      const copy = await bench.apply(bench.guest({ disks: [clone] }))
      expect(await bench.output(copy, 'cd /data; ls -d before after 2>/dev/null; cat before')).toBe('before\nbefore')
      await bench.driver.remove(copy.id, never)
      expect(await bench.driver.removeSnapshot({ guestId: guest.id, snapshotId, volumes: [volume] }, never)).toBe(true)
      expect(await bench.driver.removeSnapshot({ guestId: guest.id, snapshotId, volumes: [volume] }, never)).toBe(false)
      for (const one of [volume, clone]) await bench.driver.removeVolume(one, never)
      expect(bench.leftovers()).toEqual([])
    },
    300_000,
  )

  itInFull(
    'is plugged into a guest that runs, grows under it, and is unplugged; its seed is for nobody else to read',
    async () => {
      mkdirSync(path('keelson'), { recursive: true })
      const [root, more] = [bench.volume(), bench.volume({ sizeMiB: 8 })]
      for (const one of [root, more]) await bench.driver.ensureVolume(one, never)
      const guest = bench.guest({ disks: [root], seed: true })
      const seed = {
        guestId: guest.id,
        instanceId: 'i-1',
        hostname: 'web',
        nics: [],
        sshKeys: ['ssh-ed25519 AAAA me'],
        defaultUser: 'debian',
        userData: '#cloud-config\nruncmd: [true]\n',
      }
      expect(await bench.driver.ensureSeed(seed, never)).toBe(true)
      expect(await bench.driver.ensureSeed(seed, never)).toBe(false)
      const iso = join(bench.stateDir, 'libvirt', guest.id, 'seed.iso')
      expect((statSync(iso).mode & 0o777).toString(8)).toBe('600')
      await bench.apply(guest)
      const told = await bench.output(guest, 'cat /seed/meta-data /seed/user-data /seed/vendor-data')
      for (const words of [
        '"instance-id": "i-1"',
        '"local-hostname": "web"',
        'ssh-ed25519 AAAA me',
        'runcmd: [true]',
        '"user": "debian"',
      ])
        expect(told).toContain(words)
      const sectors = async () => bench.output(guest, 'cat /sys/block/vdb/size 2>/dev/null || echo none')
      expect(await sectors()).toBe('none')
      await bench.apply({ ...guest, disks: [root, more] })
      expect(await sectors()).toBe(String(8 * 2_048))
      expect(await bench.driver.ensureVolume({ ...more, sizeMiB: 16 }, never)).toEqual({ made: false, sizeMiB: 16 })
      expect(await sectors()).toBe(String(16 * 2_048))
      await bench.apply(guest)
      expect(await sectors()).toBe('none')
    },
    240_000,
  )
})
