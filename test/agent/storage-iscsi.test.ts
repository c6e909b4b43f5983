import 'reflect-metadata'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Means } from '../../src/agent/storage/driver.js'
import { readArguments } from '../../src/wire/storage/arguments.js'
import { Gate } from './support/gate.js'
import { exited, FakeInitiator, timedOut, unkillable } from './support/iscsi.js'
import { at, driverOf, failure, limits, NAME, place, plain, uri } from './support/iscsi-place.js'

describe('connecting', () => {
  it('logs in by a static record, without any discovery, and is seen up', async () => {
    const { fake, driver } = await place()
    expect(await driver.isConnected(uri)).toBe(false)
    await driver.connect(uri, plain)
    expect(await driver.isConnected(uri)).toBe(true)
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
    expect(fake.kernel.sessions()).toEqual([
      { sid: 1, name: NAME, iface: 'keelson', state: 'LOGGED_IN', address: '10.0.0.5', port: 3260 },
    ])
    expect(fake.argv.filter((line) => line.startsWith('iscsiadm'))).toEqual([
      'iscsiadm -m iface -I keelson -o new',
      `iscsiadm -m node -T ${NAME} -p 10.0.0.5:3260,1 -I keelson -o new`,
      `iscsiadm -m node -T ${NAME} -p 10.0.0.5:3260,1 -I keelson --login`,
    ])
  })

  it('said again does nothing but look for new units', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    const before = fake.argv.length
    await driver.connect(uri, plain)
    expect(fake.argv.slice(before)).toEqual(['iscsiadm -m session -r 1 --rescan'])
    expect(fake.kernel.sessions()).toHaveLength(1)
  })

  it('gives up on a dead portal soon, starts nothing by itself, and says what was asked', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, { options: { headerDigest: 'CRC32C' }, credentials: {} })
    const lines = fake.recordText(`${NAME}/10.0.0.5,3260,1/keelson`).split('\n')
    for (const line of [
      'node.startup = manual',
      'node.conn[0].timeo.login_timeout = 5',
      'node.session.initial_login_retry_max = 2',
      'node.session.timeo.replacement_timeout = 30',
      'node.conn[0].iscsi.HeaderDigest = CRC32C',
    ]) {
      expect(lines.filter((each) => each.startsWith(line.split(' = ')[0]!))).toEqual([line])
    }
    expect(lines.at(-2)).toBe('# END RECORD')
  })

  it('makes its interface once, and leaves what an administrator has set in it', async () => {
    const { fake, target, driver } = await place()
    fake.target({ ...target, name: `${NAME}2` })
    await driver.connect(uri, plain)
    await driver.connect(at('10.0.0.5', `${NAME}2`), plain)
    expect(fake.argv.filter((line) => line.includes('-m iface'))).toHaveLength(1)
  })

  it('takes a session that came meanwhile (15) for success, and does not log it out', async () => {
    const { fake, target, driver } = await place()
    fake.intercept = (program, args) => {
      if (program === 'iscsiadm' && args.includes('new') && args.includes('node')) {
        fake.kernel.logIn(target, '10.0.0.5', 'keelson')
      }
      return undefined
    }
    await driver.connect(uri, plain)
    expect(fake.kernel.sessions()).toHaveLength(1)
    expect(fake.argv.join('\n')).not.toContain('logout')
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
  })

  it('takes one that has just lost its connection (15) as it is, and leaves it to its replacement timeout', async () => {
    const { fake, target, driver } = await place()
    fake.intercept = (_, args) => {
      if (!args.includes('--login')) return undefined
      fake.kernel.setState(fake.kernel.logIn(target, '10.0.0.5', 'keelson'), 'FAILED')
      return exited(15, 'iscsiadm: keelson: 1 session requested, but 1 already present.')
    }
    await driver.connect(uri, plain)
    expect(fake.argv.join('\n')).not.toContain('logout')
    expect(await driver.probe(uri, {}, limits())).toMatchObject({ seen: 'degraded' })
  })

  it.each([
    ['refuses' as const, 'iscsi-login', 464],
    ['silent' as const, 'timeout', 464],
  ])('to a portal that %s fails with %s %i, and leaves no record', async (reaches, type, number) => {
    const { fake, target, driver } = await place()
    target.reaches = reaches
    expect(await failure(driver.connect(uri, plain))).toMatchObject({ type, number })
    expect(fake.records()).toEqual([])
    target.reaches = 'answers'
    await driver.connect(uri, plain)
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
  })

  it.each([
    [1, 'iscsi-login', 464],
    [2, 'iscsi-login', 464],
    [3, 'iscsi-setup', 465],
    [4, 'iscsi-login', 464],
    [5, 'iscsi-login', 464],
    [6, 'iscsi-setup', 465],
    [7, 'iscsi-setup', 465],
    [8, 'timeout', 464],
    [9, 'iscsi-login', 464],
    [10, 'iscsi-logout', 474],
    [11, 'iscsi-login', 464],
    [12, 'iscsi-setup', 465],
    [13, 'permission', 469],
    [14, 'iscsi-setup', 465],
    [16, 'iscsi-login', 464],
    [17, 'iscsi-discovery', 475],
    [18, 'iscsid', 465],
    [19, 'iscsi-login', 464],
    [20, 'iscsid', 465],
    [21, 'iscsi-login', 464],
    [22, 'iscsi-setup', 465],
    [23, 'iscsi-login', 464],
    [24, 'authentication', 476],
    [25, 'iscsi-discovery', 475],
    [26, 'iscsi-discovery', 475],
    [27, 'iscsi-login', 464],
    [28, 'iscsi-login', 464],
    [99, 'iscsi-login', 464],
  ])('that iscsiadm ends with exit code %i is %s %i in its words', async (code, type, number) => {
    const { fake, driver } = await place()
    fake.intercept = (_, args) => (args.includes('--login') ? exited(code, 'iscsiadm: the words\nof it\n') : undefined)
    const fault = await failure(driver.connect(uri, plain))
    expect(fault).toEqual({ type, number, message: expect.stringContaining('iscsiadm: the words; of it') })
    expect(fake.records()).toEqual([])
  })

  it.each([
    [1, 'iscsi-interface', 473],
    [6, 'iscsi-interface', 473],
    [7, 'iscsi-interface', 473],
    [8, 'timeout', 473],
    [13, 'permission', 469],
    [20, 'iscsid', 465],
  ])('whose interface cannot be made (exit code %i) is %s %i', async (code, type, number) => {
    const { fake, driver } = await place()
    fake.intercept = (_, args) => (args.includes('iface') ? exited(code, 'iscsiadm: the words of it') : undefined)
    const fault = await failure(driver.connect(uri, plain))
    expect(fault).toMatchObject({ type, number, message: expect.stringContaining('the words of it') })
    expect(fake.argv.filter((line) => line.includes('-m node'))).toEqual([])
  })

  it('tells that iscsid does not run', async () => {
    const { fake, driver } = await place()
    fake.iscsid = 'rests'
    expect(await failure(driver.connect(uri, plain))).toMatchObject({
      type: 'iscsid',
      message: expect.stringContaining('iscsid does not answer'),
    })
    fake.iscsid = 'runs'
    await driver.connect(uri, plain)
  })

  it('with a target that the portal does not have fails in words', async () => {
    const { driver } = await place()
    expect(await failure(driver.connect(at('10.0.0.5', `${NAME}.other`), plain))).toMatchObject({ number: 464 })
  })

  it('whose login is killed in its last moment has connected all the same', async () => {
    const { fake, target, driver } = await place()
    fake.intercept = (_, args) => {
      if (!args.includes('--login')) return undefined
      fake.kernel.logIn(target, '10.0.0.5', 'keelson')
      return timedOut
    }
    await driver.connect(uri, plain)
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
  })

  it('that was killed with a session half made lets go of it, and of the record', async () => {
    const { fake, target, driver } = await place()
    fake.intercept = (_, args) => {
      if (!args.includes('--login')) return undefined
      fake.kernel.setState(fake.kernel.logIn(target, '10.0.0.5', 'keelson'), 'FREE')
      return timedOut
    }
    expect(await failure(driver.connect(uri, plain))).toMatchObject({ type: 'timeout', number: 464 })
    expect(fake.kernel.sessions()).toEqual([])
    expect(fake.records()).toEqual([])
  })

  it('that hangs and cannot be killed is STUCK', async () => {
    const { fake, driver } = await place()
    const gate = new Gate()
    fake.intercept = (_, args) => (args.includes('--login') ? unkillable(gate.passed) : undefined)
    await expect(driver.connect(uri, plain)).rejects.toMatchObject({ type: 'stuck', ended: gate.passed })
  })

  it('believes the kernel, not iscsiadm', async () => {
    const { fake, driver } = await place()
    fake.intercept = (_, args) => (args.includes('--login') ? exited(0) : undefined)
    expect((await failure(driver.connect(uri, plain)))?.message).toContain('the kernel shows none')
    expect(fake.records()).toEqual([])
  })

  it('fails in words where iscsiadm keeps its records somewhere else', async () => {
    const { fake } = await place()
    const driver = driverOf(fake, { databaseRoots: ['/nowhere/iscsi'] })
    expect(await failure(driver.connect(uri, plain))).toMatchObject({
      type: 'iscsi-setup',
      message: expect.stringContaining('/nowhere/iscsi'),
    })
  })
})

describe('credentials', () => {
  const secret = 'canary-of-chap-1'
  const secretIn = 'canary-of-chap-2'
  const means = ({ options, credentials }: Means) => ({ options, credentials })
  const chap = means(
    readArguments({
      uri: 'iscsi://10.0.0.5/iqn.2026-01.test.example:disks?chapUser=alice',
      options: { chapUserIn: 'target' },
      credentials: { chapPassword: secret, chapPasswordIn: secretIn },
    }),
  )

  async function guarded() {
    const place1 = await place()
    place1.target.chap = { user: 'alice', password: secret, userIn: 'target', passwordIn: secretIn }
    return place1
  }

  it('prove both sides, by way of the record alone, which nobody else can read', async () => {
    const { fake, driver } = await guarded()
    await driver.connect(uri, chap)
    expect(await driver.probe(uri, chap.options, limits())).toEqual({ seen: 'up' })
    const path = join(fake.databaseRoot, 'nodes', NAME, '10.0.0.5,3260,1/keelson')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(fake.recordText(`${NAME}/10.0.0.5,3260,1/keelson`)).toContain(`node.session.auth.password = ${secret}\n`)
    expect(fake.argv.join('\n')).not.toContain('canary')
  })

  it('that are wrong are 476, in no message and in no file', async () => {
    const { fake, driver } = await guarded()
    const wrong = { ...chap, credentials: { ...chap.credentials, chapPassword: 'canary-that-is-wrong' } }
    const fault = await failure(driver.connect(uri, wrong))
    expect(fault).toMatchObject({ type: 'authentication', number: 476 })
    expect(JSON.stringify(fault)).not.toContain('canary')
    expect(fake.argv.join('\n')).not.toContain('canary')
    expect(fake.records()).toEqual([])
  })

  it('are replaced by those of the next connecting', async () => {
    const { fake, target, driver } = await guarded()
    await driver.connect(uri, chap)
    await driver.disconnect(uri, 'gently')
    target.chap = { user: 'bob', password: 'other' }
    await driver.connect(uri, { options: { chapUser: 'bob' }, credentials: { chapPassword: 'other' } })
    const text = fake.recordText(`${NAME}/10.0.0.5,3260,1/keelson`)
    expect(text).not.toContain('canary')
    expect(text).not.toContain('password_in')
  })

  it('go with the session, and what a crash has left of them when the agent starts again', async () => {
    const { fake, driver } = await guarded()
    await driver.connect(uri, chap)
    await driver.disconnect(uri, 'gently')
    expect(fake.records()).toEqual([])

    const crash = new Error('crash')
    fake.intercept = (_, args) => {
      if (args.includes('--login')) throw crash
      return undefined
    }
    await expect(driver.connect(at('10.0.0.6'), chap)).rejects.toBe(crash)
    fake.leave(`${NAME}/10.0.0.7,3260,1/keelson`, secret)
    fake.leave(`${NAME}/10.0.0.8,3260,1/keelson.new`, secret)
    fake.leave(`${NAME}/10.0.0.9,3260,1/default`, 'an administrator’s')
    fake.intercept = () => undefined
    await driverOf(fake).tidy?.()
    expect(fake.records()).toEqual([`${NAME}/10.0.0.9,3260,1/default`])
  })

  it('of a crash that could not be removed are, with the next connecting; those of others under way stay', async () => {
    const { fake, target, driver } = await guarded()
    fake.target({ ...target, address: '10.0.0.6' })
    const stale = `${NAME}/10.0.0.7,3260,1/keelson`
    fake.leave(`${stale}/in-the-way`, '')
    fake.leave(`${NAME}/10.0.0.8,3260,1/keelson`, secret)
    await expect(driver.tidy?.()).rejects.toThrow()
    expect(fake.records()).toEqual([`${stale}/in-the-way`])

    const [gate, waits] = [new Gate(), new Gate()]
    fake.intercept = async (_, args) => {
      if (args.includes('--login') && args.join(' ').includes('10.0.0.5')) {
        waits.open()
        await gate.passed
      }
      return undefined
    }
    const connecting = driver.connect(uri, chap)
    await waits.passed
    await rm(join(fake.databaseRoot, 'nodes', stale), { recursive: true })
    fake.leave(stale, secret)
    await driver.connect(at('10.0.0.6'), chap)
    expect(fake.records()).toEqual([`${NAME}/10.0.0.5,3260,1/keelson`, `${NAME}/10.0.0.6,3260,1/keelson`])
    gate.open()
    await connecting
    expect(await driver.probe(uri, chap.options, limits())).toEqual({ seen: 'up' })
  })

  it('stay with a session that is there when the agent starts again: iscsid needs them', async () => {
    const { fake, driver } = await guarded()
    await driver.connect(uri, chap)
    const again = driverOf(fake)
    await again.tidy?.()
    expect(fake.records()).toEqual([`${NAME}/10.0.0.5,3260,1/keelson`])
    expect(await again.isConnected(uri)).toBe(true)
    await again.disconnect(uri, 'gently')
    expect(fake.records()).toEqual([])
  })

  it('go when somebody else has logged the session out', async () => {
    const { fake, driver } = await guarded()
    await driver.connect(uri, chap)
    fake.kernel.dropSession(1)
    expect(await driver.probe(uri, chap.options, limits())).toMatchObject({ seen: 'lost' })
    expect(fake.records()).toEqual([])
  })

  it('half written by a crash do not stand in the way', async () => {
    const { fake, driver } = await guarded()
    fake.leave(`${NAME}/10.0.0.5,3260,1/keelson`, '')
    await driver.connect(uri, chap)
    expect(await driver.probe(uri, chap.options, limits())).toEqual({ seen: 'up' })
  })
})

describe('what this host lacks', () => {
  it.each([
    ['iscsiadm', (fake: FakeInitiator) => fake.uninstall('iscsiadm'), 'iscsiadm is not installed (Debian: open-iscsi)'],
    ['iscsid', (fake: FakeInitiator) => fake.uninstall('iscsid'), 'iscsid is not installed'],
    ['blockdev', (fake: FakeInitiator) => fake.uninstall('blockdev'), 'blockdev is not installed'],
    ['the module', (fake: FakeInitiator) => void Object.assign(fake, { module: 'missing' }), 'no module iscsi_tcp'],
    ['modprobe', (fake: FakeInitiator) => fake.uninstall('modprobe'), 'no module iscsi_tcp'],
  ])('is told by name: %s', async (_, take, words) => {
    const { fake, driver } = await place()
    expect(await driver.obstacle()).toBeNull()
    take(fake)
    expect(await driver.obstacle()).toMatchObject({ type: 'unsupported', message: expect.stringContaining(words) })
  })

  it('is root', async () => {
    const { fake } = await place()
    expect(await driverOf(fake, { isRoot: false }).obstacle()).toMatchObject({ type: 'permission', number: 469 })
  })

  it('comes out at connecting where it went meanwhile', async () => {
    const { fake, driver } = await place()
    fake.uninstall('iscsiadm')
    expect(await failure(driver.connect(uri, plain))).toMatchObject({ type: 'iscsi-setup', number: 465 })
  })
})
