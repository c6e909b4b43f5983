import 'reflect-metadata'
import type { StorageDriver } from '../../src/agent/storage/driver.js'
import { Gate } from './support/gate.js'
import { exited, type FakeInitiator, notThere, timedOut, unkillable } from './support/iscsi.js'
import { at, driverOf, failure, limits, NAME, place, plain, uri } from './support/iscsi-place.js'

const logouts = (fake: FakeInitiator) => fake.argv.filter((line) => line.includes('--logout'))

describe('several portals of a target', () => {
  it('are a session each; letting go of one leaves the other’s, and its record', async () => {
    const { fake, target, driver } = await place()
    fake.target({ ...target, address: '10.0.0.6' })
    const [one, two] = [at('10.0.0.5'), at('10.0.0.6')]
    await driver.connect(one, plain)
    expect(await driver.isConnected(two)).toBe(false)
    await driver.connect(two, plain)
    expect(fake.kernel.sessions().map(({ address }) => address)).toEqual(['10.0.0.5', '10.0.0.6'])
    await driver.disconnect(one, 'gently')
    expect(fake.kernel.sessions().map(({ address }) => address)).toEqual(['10.0.0.6'])
    expect(fake.records()).toEqual([`${NAME}/10.0.0.6,3260,1/keelson`])
    expect(await driver.probe(two, {}, limits())).toEqual({ seen: 'up' })
    expect(await driver.probe(one, {}, limits())).toMatchObject({ seen: 'lost' })
  })

  it('are told apart by port', async () => {
    const { fake, target, driver } = await place()
    fake.target({ ...target, port: 3261 })
    await driver.connect(uri, plain)
    await driver.connect(at('10.0.0.5:3261'), plain)
    expect(fake.kernel.sessions()).toHaveLength(2)
    await driver.disconnect(at('10.0.0.5:3261'), 'gently')
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
  })
})

describe('one portal by two names', () => {
  async function both() {
    const there = await place()
    there.fake.resolves.set('san', ['10.0.0.9', '10.0.0.5'])
    return { ...there, named: at('san') }
  }

  it('is one session, which goes with the last of its users', async () => {
    const { fake, driver, named } = await both()
    await driver.connect(named, plain)
    expect(await driver.isConnected(uri)).toBe(false)
    await driver.connect(uri, plain)
    expect(fake.kernel.sessions()).toHaveLength(1)
    expect(await driver.isConnected(uri)).toBe(true)
    await driver.disconnect(named, 'gently')
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
    expect(fake.records()).toEqual([`${NAME}/san,3260,1/keelson`])
    await driver.disconnect(uri, 'gently')
    expect(fake.kernel.sessions()).toEqual([])
    expect(fake.records()).toEqual([])
  })

  it('is shared again by whoever is asked first after a restart', async () => {
    const { fake, driver, named } = await both()
    await driver.connect(named, plain)
    await driver.connect(uri, plain)
    const again = driverOf(fake)
    expect([await again.isConnected(uri), await again.isConnected(named)]).toEqual([true, false])
    await again.connect(named, plain)
    await again.disconnect(uri, 'gently')
    expect(fake.kernel.sessions()).toHaveLength(1)
  })

  it('is resolved only where there is another session of the target, and not while it is known', async () => {
    const { fake, driver, named } = await both()
    await driver.connect(uri, plain)
    expect(fake.argv.filter((line) => line.startsWith('getent'))).toEqual([])
    await driver.connect(named, plain)
    const asked = fake.argv.filter((line) => line.startsWith('getent')).length
    expect(asked).toBeGreaterThan(0)
    fake.resolves.delete('san')
    expect(await driver.probe(named, {}, limits())).toEqual({ seen: 'up' })
    expect(fake.argv.filter((line) => line.startsWith('getent'))).toHaveLength(asked)
  })

  it('that does not resolve, or only in too long a time, is not taken for the other', async () => {
    const { fake, driver } = await both()
    await driver.connect(uri, plain)
    expect(await driver.isConnected(at('elsewhere'))).toBe(false)
    fake.intercept = (program) => (program === 'getent' ? timedOut : undefined)
    expect(await driver.isConnected(at('san'))).toBe(false)
  })

  it('stays one session where the other name could not be resolved, and its login fails', async () => {
    const { fake, driver, named } = await both()
    fake.resolves.set('san2', ['10.0.0.5'])
    await driver.connect(named, plain)
    let resolves = false
    fake.intercept = (program, args) => {
      if (program === 'getent') return resolves ? undefined : timedOut
      if (!args.includes('--login')) return undefined
      fake.kernel.setState(1, 'FAILED')
      resolves = true
      return exited(8, 'iscsiadm: connection timed out')
    }
    expect(await failure(driver.connect(at('san2'), plain))).toMatchObject({ type: 'timeout', number: 464 })
    expect(logouts(fake)).toEqual([])
    expect(fake.records()).toEqual([`${NAME}/san,3260,1/keelson`])
  })

  it('an IPv6 address is the same in every spelling', async () => {
    const { fake, driver } = await both()
    const six = fake.target({ address: 'fd00::5' })
    await driver.connect(at('[FD00:0::5]'), plain)
    expect(fake.argv).toContain(`iscsiadm -m node -T ${NAME} -p [fd00::5]:3260,1 -I keelson --login`)
    expect(fake.records()).toEqual([`${NAME}/fd00::5,3260,1/keelson`])
    await driver.disconnect(at('[fd00::5]'), 'gently')
    fake.kernel.logIn(six, 'fd00:0000:0000:0000:0000:0000:0000:0005')
    expect(await driver.isConnected(at('[fd00::5]'))).toBe(true)
  })
})

describe('a session that somebody else has made', () => {
  it('is used, and never logged out', async () => {
    const { fake, target, driver } = await place()
    const sid = fake.kernel.logIn(target)
    expect(await driver.isConnected(uri)).toBe(true)
    await driver.connect(uri, plain)
    expect(await driver.probe(uri, {}, limits({ lun: '1' }))).toMatchObject({ seen: 'up' })
    for (const grip of ['gently', 'firmly', 'lazily'] as const) await driver.disconnect(uri, grip)
    expect(fake.kernel.has(sid)).toBe(true)
    expect(logouts(fake)).toEqual([])
  })

  it('beside ours stays when ours goes', async () => {
    const { fake, target, driver } = await place()
    await driver.connect(uri, plain)
    const sid = fake.kernel.logIn(target)
    await driver.disconnect(uri, 'gently')
    expect(fake.kernel.sessions()).toMatchObject([{ sid, iface: 'default' }])
  })

  it('with another target, or by another port, is none of ours', async () => {
    const { fake, target, driver } = await place()
    fake.kernel.logIn({ ...target, name: `${NAME}2` })
    fake.kernel.logIn({ ...target, port: 3261 })
    expect(await driver.isConnected(uri)).toBe(false)
  })
})

describe('letting go', () => {
  const connected = async (): Promise<{ fake: FakeInitiator; driver: StorageDriver<'iscsi'>; disk: string }> => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    fake.argv.length = 0
    return { fake, driver, disk: fake.kernel.disksOf(1)[0]! }
  }
  const after = (fake: FakeInitiator) => fake.argv.filter((line) => !line.startsWith('find'))

  it('flushes first, then logs out this session and no other, then forgets the record; said again, it does nothing', async () => {
    const { fake, driver } = await connected()
    await driver.disconnect(uri, 'gently')
    expect(after(fake)).toEqual(['blockdev --flushbufs /dev/sda', 'iscsiadm -m session -r 1 --logout'])
    expect(fake.records()).toEqual([])
    await driver.disconnect(uri, 'gently')
    expect(logouts(fake)).toHaveLength(1)
  })

  it('leaves gently what a process has open, whoever only watches disks aside', async () => {
    const { fake, driver, disk } = await connected()
    fake.open = [[process.pid, `/dev/${disk}`]]
    const fault = await failure(driver.disconnect(uri, 'gently'))
    expect(fault).toMatchObject({ type: 'disconnect', number: 452 })
    expect(fault?.message).toContain(`/dev/${disk} is open in node, process ${process.pid}`)
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
    expect(fake.records()).toHaveLength(1)
    fake.open = [[2 ** 30, `/dev/${disk}`]]
    await driver.disconnect(uri, 'gently')
  })

  it.each([
    ['takes too long', timedOut],
    ['cannot be made', notThere('find')],
  ])('leaves gently what may be open, where the look for it %s', async (_, result) => {
    const { fake, driver, disk } = await connected()
    fake.intercept = (program) => (program === 'find' ? result : undefined)
    const fault = await failure(driver.disconnect(uri, 'gently'))
    expect(fault).toMatchObject({ type: 'disconnect', number: 452 })
    expect(fault?.message).toContain(`it cannot be told who has /dev/${disk} open`)
    expect(logouts(fake)).toEqual([])
    await driver.disconnect(uri, 'firmly')
    expect(fake.kernel.sessions()).toEqual([])
  })

  it('leaves gently what a volume stands on, and says which', async () => {
    const { fake, driver, disk } = await connected()
    fake.kernel.addHolder(disk, 'dm-3', { name: 'vg-guests', uuid: 'LVM-1' })
    const fault = await failure(driver.disconnect(uri, 'gently'))
    expect(fault?.message).toContain(`${disk} is held by dm-3 (vg-guests)`)
    expect(logouts(fake)).toEqual([])
    await driver.disconnect(uri, 'firmly')
    expect(logouts(fake)).toHaveLength(1)
  })

  it('takes a map of multipath with it that has no other path', async () => {
    const { fake, driver, disk } = await connected()
    fake.kernel.addHolder(disk, 'dm-0', { name: 'mpatha', uuid: 'mpath-36001405' })
    await driver.disconnect(uri, 'gently')
    expect(after(fake)).toEqual([
      'multipath -f mpatha',
      `blockdev --flushbufs /dev/${disk}`,
      'iscsiadm -m session -r 1 --logout',
    ])
  })

  it('leaves a map of multipath alone that has other paths, however it is used', async () => {
    const { fake, driver, disk } = await connected()
    fake.kernel.addHolder(disk, 'dm-0', { name: 'mpatha', uuid: 'mpath-36001405' }, [disk, 'sdx'])
    fake.open = [[process.pid, '/dev/dm-0']]
    await driver.disconnect(uri, 'gently')
    expect(fake.argv.join('\n')).not.toContain('multipath -f')
  })

  it('leaves gently what a map without other paths is used for', async () => {
    const { fake, driver, disk } = await connected()
    fake.kernel.addHolder(disk, 'dm-0', { name: 'mpatha', uuid: 'mpath-36001405' })
    fake.open = [[process.pid, '/dev/dm-0']]
    expect((await failure(driver.disconnect(uri, 'gently')))?.message).toContain('/dev/dm-0 is open in node')
    expect(fake.argv.join('\n')).not.toContain('multipath -f')
  })

  it('stops gently where a flush fails, and goes on firmly', async () => {
    const { fake, driver, disk } = await connected()
    fake.intercept = (program) => (program === 'blockdev' ? exited(1, 'ioctl: Input/output error') : undefined)
    const fault = await failure(driver.disconnect(uri, 'gently'))
    expect(fault?.message).toContain(`blockdev --flushbufs /dev/${disk}: ioctl: Input/output error`)
    expect(logouts(fake)).toEqual([])
    await driver.disconnect(uri, 'firmly')
    expect(fake.kernel.sessions()).toEqual([])
  })

  it.each(['FAILED', 'FREE'])('of a session that is %s does not wait for a flush', async (state) => {
    const { fake, driver } = await connected()
    fake.kernel.setState(1, state)
    await driver.disconnect(uri, 'gently')
    expect(after(fake)).toEqual(['iscsiadm -m session -r 1 --logout'])
  })

  it('that hangs in a flush is STUCK, and lazily is done without one', async () => {
    const { fake, driver } = await connected()
    const gate = new Gate()
    fake.intercept = (program) => (program === 'blockdev' ? unkillable(gate.passed) : undefined)
    await expect(driver.disconnect(uri, 'gently')).rejects.toMatchObject({ type: 'stuck', ended: gate.passed })
    await driver.disconnect(uri, 'lazily')
    expect(fake.kernel.sessions()).toEqual([])
  })

  it.each([
    [8, 'timeout', 474],
    [10, 'iscsi-logout', 474],
    [28, 'iscsi-logout', 474],
    [20, 'iscsid', 465],
    [13, 'permission', 469],
    [1, 'iscsi-logout', 474],
  ])('that ends with exit code %i is %s %i, and keeps the record', async (code, type, number) => {
    const { fake, driver } = await connected()
    fake.intercept = (_, args) => (args.includes('--logout') ? exited(code, 'iscsiadm: the words of it') : undefined)
    const fault = await failure(driver.disconnect(uri, 'gently'))
    expect(fault).toMatchObject({ type, number, message: expect.stringContaining('the words of it') })
    expect(fake.records()).toHaveLength(1)
    fake.intercept = () => undefined
    await driver.disconnect(uri, 'gently')
    expect(fake.records()).toEqual([])
  })

  it.each([2, 21, 22])('of what is gone meanwhile (%i) is done', async (code) => {
    const { fake, driver } = await connected()
    fake.intercept = (_, args) => {
      if (!args.includes('--logout')) return undefined
      fake.kernel.dropSession(1)
      return exited(code, 'iscsiadm: No matching sessions found')
    }
    await driver.disconnect(uri, 'gently')
    expect(fake.records()).toEqual([])
  })

  it('is not believed while the kernel still shows the session', async () => {
    const { fake, driver } = await connected()
    fake.intercept = (_, args) => (args.includes('--logout') ? exited(0) : undefined)
    expect(await failure(driver.disconnect(uri, 'gently'))).toMatchObject({ type: 'iscsi-logout', number: 474 })
  })

  it('waits for a connect of the same portal that is under way, and then wins', async () => {
    const { fake, driver } = await place()
    const gate = new Gate()
    fake.intercept = async (_, args) => {
      if (args.includes('--login')) await gate.passed
      return undefined
    }
    const connecting = driver.connect(uri, plain)
    const leaving = driver.disconnect(uri, 'gently')
    gate.open()
    await Promise.all([connecting, leaving])
    expect(fake.kernel.sessions()).toEqual([])
    expect(fake.records()).toEqual([])
  })

  it('leaves nothing behind in 50 rounds', async () => {
    const { fake, driver } = await place()
    for (let round = 0; round < 50; round += 1) {
      await driver.connect(uri, plain)
      await driver.disconnect(uri, 'gently')
    }
    expect(fake.kernel.sessions()).toEqual([])
    expect(fake.records()).toEqual([])
    expect(fake.argv.filter((line) => line.includes('-m iface'))).toHaveLength(1)
  })
})

describe('probing', () => {
  it('says lost when the session is gone, whoever has logged it out', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    fake.kernel.dropSession(1)
    expect(await driver.probe(uri, {}, limits())).toMatchObject({
      seen: 'lost',
      fault: { type: 'iscsi-session', number: 451, message: expect.stringContaining('no session with') },
    })
    await driver.connect(uri, plain)
    expect(await driver.probe(uri, {}, limits())).toEqual({ seen: 'up' })
  })

  it('degrades a session that has lost its connection, makes it anew after its replacement timeout, and reads no disk', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    fake.kernel.setState(1, 'FAILED')
    fake.argv.length = 0
    expect(await driver.probe(uri, {}, limits({ lun: '1' }))).toMatchObject({
      seen: 'degraded',
      fault: { message: expect.stringMatching(/wait for it to come back, 30 s at the longest \(state FAILED\)/) },
    })
    fake.kernel.setState(1, 'FREE')
    expect(await driver.probe(uri, {}, limits({ lun: '1' }))).toMatchObject({
      seen: 'down',
      fault: { message: expect.stringContaining('replacement timeout') },
    })
    fake.kernel.setState(1, 'NEVER_HEARD_OF')
    expect(await driver.probe(uri, {}, limits())).toMatchObject({ seen: 'degraded' })
    expect(fake.argv).toEqual([])
    fake.kernel.setState(1, 'LOGGED_IN')
    expect(await driver.probe(uri, {}, limits({ lun: '1' }))).toMatchObject({ seen: 'up' })
  })

  it('reads the unit that each id names past the cache, and tells each what it lacks', async () => {
    const { fake, target, driver } = await place()
    target.luns.set(2, 'disk')
    await driver.connect(uri, plain)
    const [one, two] = fake.kernel.disksOf(1)
    fake.disks.set(two!, 'fails')
    const seen = await driver.probe(
      uri,
      {},
      limits({ lun: '1' }, { lun: '2' }, { lun: '0' }, { lun: '7' }, { lun: '1' }),
    )
    if (seen.seen !== 'up') throw new Error(seen.fault.message)
    expect(seen.lacks?.({ lun: '1' })).toBeNull()
    expect(seen.lacks?.({})).toBeNull()
    expect(seen.lacks?.({ lun: '2' })).toMatchObject({ type: 'iscsi-lun', number: 451 })
    expect(seen.lacks?.({ lun: '2' })?.message).toMatch(/unit 2 .* cannot be read: dd: .*Input\/output error/)
    expect(seen.lacks?.({ lun: '0' })?.message).toContain('is no disk')
    expect(seen.lacks?.({ lun: '7' })?.message).toContain('shows no unit 7, but 0, 1, 2')
    const reads = fake.argv.filter((line) => line.startsWith('dd'))
    expect(reads).toContain(`dd if=/dev/${one} of=/dev/null bs=4096 count=1 iflag=direct status=none`)
    expect(reads).toHaveLength(2)
  })

  it('looks for a unit anew that was not there, and finds it', async () => {
    const { fake, target, driver } = await place()
    await driver.connect(uri, plain)
    target.luns.set(5, 'disk')
    fake.argv.length = 0
    const seen = await driver.probe(uri, {}, limits({ lun: '5' }))
    expect(seen.seen === 'up' && seen.lacks?.({ lun: '5' })).toBeNull()
    expect(fake.argv[0]).toBe('iscsiadm -m session -r 1 --rescan')
  })

  it('tells of a unit that is offline without touching it', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    const disk = fake.kernel.disksOf(1)[0]!
    fake.kernel.setUnitState(disk, 'offline')
    fake.argv.length = 0
    const seen = await driver.probe(uri, {}, limits({ lun: '1' }))
    expect(seen.seen === 'up' && seen.lacks?.({ lun: '1' })?.message).toContain(`(${disk}) is offline`)
    expect(fake.argv).toEqual([])
  })

  it('takes the first disk for all where no id names a unit', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    fake.disks.set(fake.kernel.disksOf(1)[0]!, 'fails')
    expect(await driver.probe(uri, {}, limits())).toMatchObject({ seen: 'degraded', fault: { type: 'iscsi-lun' } })
  })

  it('is STUCK where a disk does not answer in its time, killed or not', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    fake.disks.set(fake.kernel.disksOf(1)[0]!, 'hangs')
    await expect(driver.probe(uri, {}, limits({ lun: '1' }))).rejects.toMatchObject({
      type: 'stuck',
      message: expect.stringContaining('did not answer within 1000 ms'),
    })
    const gate = new Gate()
    fake.intercept = (program) => (program === 'dd' ? unkillable(gate.passed) : undefined)
    await expect(driver.probe(uri, {}, limits())).rejects.toMatchObject({ type: 'stuck', ended: gate.passed })
  })

  it('fails, and loses nothing, where the target cannot be asked for its units', async () => {
    const { fake, driver } = await place()
    await driver.connect(uri, plain)
    fake.iscsid = 'rests'
    expect(await failure(driver.probe(uri, {}, limits({ lun: '7' })))).toMatchObject({ type: 'iscsid' })
    expect(await driver.probe(uri, {}, limits({ lun: '1' }))).toMatchObject({ seen: 'up' })
    expect(logouts(fake)).toEqual([])
  })
})
