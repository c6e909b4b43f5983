import 'reflect-metadata'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { faultOf } from '../../src/agent/fault.js'
import { readMounts } from '../../src/agent/host/mounts.js'
import { type Run, run } from '../../src/agent/host/run.js'
import { createLocalDriver } from '../../src/agent/storage/drivers/local.js'
import { createPosixDriver } from '../../src/agent/storage/drivers/posix.js'
import type { LocalUri } from '../../src/wire/storage/schemes/local.js'
import type { PosixUri } from '../../src/wire/storage/schemes/posix.js'
import { parseStorageUri } from '../../src/wire/storage/uri.js'
import { describeAsRoot } from './support/root.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'

const limits = { timeoutMs: 5000, signal: new AbortController().signal, own: [] }
const means = (options: Readonly<Record<string, string>> = {}) => ({ options, credentials: {} })
const local = (path: string) => parseStorageUri(`local://${path}`) as LocalUri
const posix = (path: string, fsType: string) => parseStorageUri(`posix://${path}?fstype=${fsType}`) as PosixUri
const failure = (work: Promise<unknown>) => work.then(() => null, faultOf)

describe('a local directory', () => {
  const driver = createLocalDriver()

  it('is connected when it is there, empty or not, and is seen up', async () => {
    const directory = await temporaryDirectory()
    await driver.connect(local(directory), means())
    expect(await driver.probe(local(directory), {}, limits)).toEqual({ seen: 'up' })
    await writeFile(join(directory, 'two words'), '')
    expect(await driver.probe(local(directory), {}, limits)).toEqual({ seen: 'up' })
    await driver.disconnect(local(directory), 'firmly')
    expect(await readdir(directory)).toEqual(['two words'])
  })

  it('that is missing, or is a file, is refused in the words of the tool', async () => {
    const directory = await temporaryDirectory()
    const missing = await failure(driver.connect(local(join(directory, 'missing')), means()))
    expect(missing).toMatchObject({
      type: 'connect',
      number: 451,
      message: expect.stringContaining('No such file or directory'),
    })
    await writeFile(join(directory, 'file'), '')
    const file = await failure(driver.connect(local(join(directory, 'file')), means()))
    expect(file?.message).toContain('Not a directory')
    expect(await driver.probe(local(join(directory, 'missing')), {}, limits)).toMatchObject({ seen: 'lost' })
  })

  it('that hangs is STUCK after its time', async () => {
    const hanging: Run = (_program, _args, options) => run('sleep', ['60'], options)
    const stuck = createLocalDriver(hanging).probe(local('/srv'), {}, { ...limits, timeoutMs: 50 })
    await expect(stuck).rejects.toMatchObject({ type: 'stuck', message: expect.stringContaining('50 ms') })
  })
})

describe('posix without root', () => {
  it('is refused with the type permission', async () => {
    const driver = createPosixDriver({ mountRoot: '/nowhere', isRoot: false })
    expect(await driver.obstacle()).toMatchObject({ type: 'permission', number: 469 })
  })
})

describeAsRoot('posix on this kernel', () => {
  async function place() {
    const directory = await temporaryDirectory()
    const mountRoot = join(directory, 'mnt')
    const driver = createPosixDriver({ mountRoot })
    const use = (uri: PosixUri) => {
      whenTestEnds(() => driver.disconnect(uri, 'lazily'))
      return uri
    }
    return { directory, mountRoot, driver, use }
  }

  async function image(path: string, fsType = 'ext4'): Promise<void> {
    execFileSync('truncate', ['-s', fsType === 'xfs' ? '320M' : '8M', path])
    execFileSync(`mkfs.${fsType}`, ['-q', path])
  }

  const mounted = async (below: string) =>
    (await readMounts()).filter(({ mountPoint }) => mountPoint.startsWith(`${below}/`))
  const loops = () => execFileSync('losetup', ['-n', '-O', 'BACK-FILE', '-l'], { encoding: 'utf8' })

  it('mounts an image file over a loop device, probes it, and lets go of both', async () => {
    const { directory, mountRoot, driver, use } = await place()
    const path = join(directory, 'my_disk.img')
    await image(path)
    const uri = use(posix(path, 'ext4'))
    expect(await driver.isConnected(uri)).toBe(false)
    await driver.connect(uri, means({ noatime: '' }))
    expect(await driver.isConnected(uri)).toBe(true)
    const [mount] = await mounted(mountRoot)
    expect(mount).toMatchObject({
      fsType: 'ext4',
      options: expect.arrayContaining(['rw', 'noatime', 'nosuid', 'nodev']),
    })
    expect(mount?.mountPoint).toBe(join(mountRoot, 'posix/ext4', path.replaceAll('_', '__').replaceAll('/', '_')))
    expect((await stat(mountRoot)).mode & 0o777).toBe(0o700)
    expect(await driver.probe(uri, {}, limits)).toEqual({ seen: 'up' })
    await driver.connect(uri, means({ noatime: '' }))
    expect(await mounted(mountRoot)).toHaveLength(1)

    await driver.disconnect(uri, 'gently')
    expect(await mounted(mountRoot)).toEqual([])
    expect(await readdir(join(mountRoot, 'posix/ext4'))).toEqual([])
    expect(loops()).not.toContain(path)
    await driver.disconnect(uri, 'gently')
    expect(await driver.probe(uri, {}, limits)).toMatchObject({ seen: 'lost' })
  })

  it('mounts xfs, a path with blanks, and a block device', async () => {
    const { directory, driver, use } = await place()
    const path = join(directory, 'two words.img')
    await image(path, 'xfs')
    const uri = use(posix(path, 'xfs'))
    await driver.connect(uri, means())
    expect(await driver.probe(uri, {}, limits)).toEqual({ seen: 'up' })
    await driver.disconnect(uri, 'gently')

    const other = join(directory, 'device.img')
    await image(other)
    const device = execFileSync('losetup', ['--find', '--show', other], { encoding: 'utf8' }).trim()
    try {
      const block = use(posix(device, 'ext4'))
      await driver.connect(block, means())
      expect(await driver.probe(block, {}, limits)).toEqual({ seen: 'up' })
      await driver.disconnect(block, 'gently')
    } finally {
      execFileSync('losetup', ['--detach', device])
    }
  })

  it('binds a directory, read-only when asked', async () => {
    const { directory, mountRoot, driver, use } = await place()
    const source = join(directory, 'source')
    await mkdir(source)
    await writeFile(join(source, 'file'), 'content')
    const uri = use(posix(source, 'bind'))
    await driver.connect(uri, means({ ro: '' }))
    const [mount] = await mounted(mountRoot)
    expect(mount?.options).toContain('ro')
    expect(await readFile(join(mount!.mountPoint, 'file'), 'utf8')).toBe('content')
    expect(await driver.probe(uri, { ro: '' }, limits)).toEqual({ seen: 'up' })
    await driver.disconnect(uri, 'gently')
    expect(await readdir(source)).toEqual(['file'])
  })

  it('refuses in the words of mount(8), with number 477, and leaves nothing behind', async () => {
    const { directory, mountRoot, driver } = await place()
    const missing = await failure(driver.connect(posix(join(directory, 'missing.img'), 'ext4'), means()))
    expect(missing).toMatchObject({
      type: 'mount',
      number: 477,
      message: expect.stringContaining('No such file or directory'),
    })
    await writeFile(join(directory, 'garbage.img'), Buffer.alloc(65_536, 'x'))
    const garbage = await failure(driver.connect(posix(join(directory, 'garbage.img'), 'ext4'), means()))
    expect(garbage).toMatchObject({ type: 'mount', message: expect.stringMatching(/superblock|wrong fs type/) })
    expect((await failure(driver.connect(posix(directory, 'ext4'), means())))?.message).toContain(
      'neither a block device nor an image',
    )
    expect(await mounted(mountRoot)).toEqual([])
    expect(await readdir(join(mountRoot, 'posix/ext4'))).toEqual([])
    expect(loops()).not.toContain(directory)
  })

  it('does not let go gently of what is busy, and does firmly', async () => {
    const { directory, mountRoot, driver, use } = await place()
    const path = join(directory, 'disk.img')
    await image(path)
    const uri = use(posix(path, 'ext4'))
    await driver.connect(uri, means())
    const [mount] = await mounted(mountRoot)
    const user = spawn('sleep', ['60'], { cwd: mount!.mountPoint, stdio: 'ignore' })
    await once(user, 'spawn')
    try {
      const busy = await failure(driver.disconnect(uri, 'gently'))
      expect(busy).toMatchObject({ type: 'disconnect', number: 452, message: expect.stringContaining('busy') })
      expect(await driver.probe(uri, {}, limits)).toEqual({ seen: 'up' })
      await driver.disconnect(uri, 'firmly')
      expect(await mounted(mountRoot)).toEqual([])
    } finally {
      user.kill('SIGKILL')
      await once(user, 'exit')
    }
  })

  it('sees a filesystem that has become read-only', async () => {
    const { directory, mountRoot, driver, use } = await place()
    const path = join(directory, 'disk.img')
    await image(path)
    const uri = use(posix(path, 'ext4'))
    await driver.connect(uri, means())
    execFileSync('mount', ['-o', 'remount,ro', (await mounted(mountRoot))[0]!.mountPoint])
    expect(await driver.probe(uri, {}, limits)).toMatchObject({
      seen: 'degraded',
      fault: { message: expect.stringContaining('read-only') },
    })
    expect(await driver.probe(uri, { ro: '' }, limits)).toEqual({ seen: 'up' })
  })

  it('does not mount over what somebody else has put there', async () => {
    const { directory, mountRoot, driver, use } = await place()
    const path = join(directory, 'disk.img')
    await image(path)
    const uri = use(posix(path, 'ext4'))
    const mountPoint = join(mountRoot, 'posix/ext4', path.replaceAll('_', '__').replaceAll('/', '_'))
    await mkdir(mountPoint, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mountPoint])
    whenTestEnds(async () => void execFileSync('umount', [mountPoint]))
    expect((await failure(driver.connect(uri, means())))?.message).toContain('taken by tmpfs')
    expect(await mounted(mountRoot)).toHaveLength(1)
  })

  it('ends a mount that does not come to an end', async () => {
    const { directory } = await place()
    const helper = join(directory, 'mount')
    await writeFile(helper, '#!/bin/sh\nexec sleep 60\n')
    await chmod(helper, 0o755)
    const slow: Run = (program, args, options) => run(program === 'mount' ? helper : program, args, options)
    const driver = createPosixDriver({ mountRoot: join(directory, 'mnt'), run: slow, deadlineMs: 200 })
    const path = join(directory, 'disk.img')
    await image(path)
    expect(await failure(driver.connect(posix(path, 'ext4'), means()))).toMatchObject({
      type: 'mount',
      message: expect.stringContaining('killed after its time'),
    })
  })
})
