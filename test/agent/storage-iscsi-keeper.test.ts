import 'reflect-metadata'
import { readFile } from 'node:fs/promises'
import { silentLogger } from '../../src/agent/logger.js'
import { createStorageDrivers } from '../../src/agent/storage/drivers.js'
import { userOf } from '../../src/agent/storage/iscsi/disk-users.js'
import { readSessions } from '../../src/agent/storage/iscsi/sessions.js'
import type { StorageKeeper } from '../../src/agent/storage/keeper.js'
import type { KernelConnection } from '../../src/agent/storage/kernel.js'
import { unmanagedAmong } from '../../src/agent/storage/sightings.js'
import { storageStatePath } from '../../src/agent/storage/state.js'
import { eventually } from '../support/eventually.js'
import { Gate } from './support/gate.js'
import { exited, type FakeInitiator } from './support/iscsi.js'
import { driverOf, NAME, place } from './support/iscsi-place.js'
import { manage, ScriptedStorage, startKeeper } from './support/storage.js'
import { temporaryDirectory } from './support/temporary.js'

const portal = `iscsi://10.0.0.5/${NAME};portal=1`

/** The keeper over a driver that lives as long as an agent does. */
async function keep(fake: FakeInitiator, stateDir: string, log: string[] = []) {
  const note = (fields: object, message: string) => void log.push(JSON.stringify([fields, message]))
  const drivers = createStorageDrivers(stateDir)
  return startKeeper(stateDir, new ScriptedStorage(), {
    drivers: { ...drivers, iscsi: driverOf(fake) },
    logger: { ...silentLogger, debug: note, info: note, warn: note, error: note },
    settings: { probeIntervalMs: 20, probeTimeoutMs: 500 },
  })
}

describe('an iSCSI connection that is kept', () => {
  it('is shared by ids that want other units, each of which sees its own', async () => {
    const { fake, target } = await place()
    target.luns.set(2, 'disk')
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('one', `${portal}?lun=1`), 1)
    await keeper.manage(manage('two', portal, { lun: '2' }), 1)
    await keeper.manage(manage('nine', `${portal}?lun=9`), 1)
    await eventually(() => expect([status('one'), status('two'), status('nine')]).toEqual(['UP', 'UP', 'DOWN']))
    expect(fake.kernel.sessions()).toHaveLength(1)
    target.luns.set(9, 'disk')
    await eventually(() => expect(status('nine')).toBe('UP'))
    for (const id of ['one', 'two', 'nine']) await keeper.unmanage(id)
    await eventually(() => expect(fake.kernel.sessions()).toEqual([]))
    await eventually(() => expect(fake.records()).toEqual([]))
  })

  it('is DEGRADED while its connection is lost, comes back by itself, and is made anew when it does not', async () => {
    const { fake } = await place()
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    fake.kernel.setState(1, 'FAILED')
    await eventually(() => expect(status('a')).toBe('DEGRADED'))
    fake.kernel.setState(1, 'LOGGED_IN')
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(fake.kernel.sessions()).toMatchObject([{ sid: 1 }])
    fake.kernel.setState(1, 'FREE')
    await eventually(() => expect(fake.kernel.sessions()).toMatchObject([{ sid: 2 }]))
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('that cannot be let go of, since a guest has it open, is UP again when it comes back by itself', async () => {
    const { fake } = await place()
    const { keeper, status, observations } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    fake.open = [[process.pid, `/dev/${fake.kernel.disksOf(1)[0]}`]]
    fake.kernel.setState(1, 'FREE')
    await eventually(() => expect(observations.at(-1)?.fault?.message).toContain('is in use'))
    const [said, looks] = [observations.length, fake.argv.length]
    await eventually(() => expect(fake.argv.length).toBeGreaterThan(looks + 4))
    expect(observations).toHaveLength(said)
    fake.kernel.setState(1, 'LOGGED_IN')
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(fake.kernel.sessions()).toMatchObject([{ sid: 1 }])
  })

  it('is logged in again when somebody logs it out', async () => {
    const { fake } = await place()
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    fake.kernel.dropSession(1)
    await eventually(() => expect(fake.kernel.sessions()).toMatchObject([{ sid: 2 }]))
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('is taken up by the next agent as it is, and let go of by it', async () => {
    const { fake } = await place()
    const directory = await temporaryDirectory()
    const first = await keep(fake, directory)
    await first.keeper.manage(manage('a', portal), 1)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    await first.keeper.stop()
    const logins = () => fake.argv.filter((line) => line.includes('--login')).length
    expect(logins()).toBe(1)
    const second = await keep(fake, directory)
    await eventually(() => expect(second.status('a')).toBe('UP'))
    expect(logins()).toBe(1)
    await second.keeper.unmanage('a')
    await eventually(() => expect(fake.kernel.sessions()).toEqual([]))
  })

  it('that was there before its first id stays when the id goes', async () => {
    const { fake, target } = await place()
    const sid = fake.kernel.logIn(target)
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(keeper.held()).toMatchObject([{ preexisting: true }])
    await keeper.unmanage('a')
    await eventually(() => expect(keeper.leaving()).toEqual([]))
    expect(fake.kernel.has(sid)).toBe(true)
  })

  it('with a wrong CHAP password is DOWN with 476, and the secret is nowhere but where it belongs', async () => {
    const { fake, target } = await place()
    target.chap = { user: 'alice', password: 'canary-right' }
    const directory = await temporaryDirectory()
    const log: string[] = []
    const { keeper, status, observations } = await keep(fake, directory, log)
    const asked = (chapPassword: string) => ({
      ...manage('a', `${portal}?chapUser=alice`),
      credentials: { chapPassword },
    })
    await keeper.manage(asked('canary-wrong'), 1)
    await eventually(() => expect(observations.at(-1)?.fault).toMatchObject({ type: 'authentication', number: 476 }))
    expect(status('a')).toBe('DOWN')
    await eventually(() => expect(fake.records()).toEqual([]))
    await keeper.manage(asked('canary-right'), 2)
    await eventually(() => expect(status('a')).toBe('UP'))
    const said = [log, fake.argv, observations, keeper.held(), keeper.inventory()]
    expect(JSON.stringify(said)).not.toContain('canary')
    expect(await readFile(storageStatePath(directory), 'utf8')).not.toContain('canary')
  })
})

describe('sessions that no id holds', () => {
  const shown = async (fake: FakeInitiator, keeper: StorageKeeper) => {
    const sessions = await readSessions(fake.kernel.sysRoot)
    const seen = sessions.map((session) => ({
      ...{ kind: 'session', scheme: 'iscsi' },
      ...{ uri: `${session.persistentAddress} by ${session.iface}`, session },
    }))
    return unmanagedAmong(seen as KernelConnection[], (each) => keeper.recognise(each)).map(({ uri }) => uri)
  }
  const two = portal.replace('10.0.0.5', '10.0.0.6')

  it('are told of, also of a target whose managed portal is down', async () => {
    const { fake, target } = await place()
    fake.kernel.logIn(fake.target({ ...target, address: '10.0.0.6' }))
    target.reaches = 'refuses'
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await eventually(() => expect(status('a')).toBe('DOWN'))
    expect(await shown(fake, keeper)).toEqual(['10.0.0.6 by default'])
    target.reaches = 'answers'
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(await shown(fake, keeper)).toEqual(['10.0.0.6 by default'])
  })

  it('are told of where they go by the portal of a managed one, and another interface', async () => {
    const { fake, target } = await place()
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    fake.kernel.logIn(target)
    expect(await shown(fake, keeper)).toEqual(['10.0.0.5 by default'])
  })

  it('are none of those that ids hold at several portals of a target', async () => {
    const { fake, target } = await place()
    fake.kernel.logIn(fake.target({ ...target, address: '10.0.0.6' }))
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await keeper.manage(manage('b', two), 1)
    await eventually(() => expect([status('a'), status('b')]).toEqual(['UP', 'UP']))
    expect(fake.kernel.sessions()).toHaveLength(2)
    expect(await shown(fake, keeper)).toEqual([])
  })

  it('are not what is being logged in to', async () => {
    const { fake, target } = await place()
    const [waits, gate] = [new Gate(), new Gate()]
    fake.intercept = async (_, args) => {
      if (!args.includes('--login')) return undefined
      fake.kernel.logIn(target, '10.0.0.5', 'keelson')
      waits.open()
      await gate.passed
      return exited(0)
    }
    const { keeper, status } = await keep(fake, await temporaryDirectory())
    await keeper.manage(manage('a', portal), 1)
    await waits.passed
    expect(await shown(fake, keeper)).toEqual([])
    gate.open()
    await eventually(() => expect(status('a')).toBe('UP'))
  })
})

describe('who uses a disk', () => {
  const stack = {
    devices: [
      { name: 'sda', number: '8:0' },
      { name: 'sda1', number: '8:1' },
    ],
    maps: [{ name: 'dm-0', mapName: 'mpatha', number: '253:0' }],
    holders: [],
  }
  const none = async () => ({ outcome: 'exited', code: 0, stdout: '', stderr: '', truncated: false }) as const
  const mount = (device: string, source: string) => ({
    device,
    source,
    root: '/',
    mountPoint: '/srv/two words',
    options: [],
    fsType: 'btrfs',
    superOptions: [],
  })

  it.each([
    ['a partition, by its number', mount('8:1', '/dev/disk/by-id/x')],
    ['a disk, by its name, where the filesystem has numbers of its own', mount('0:52', '/dev/sda')],
    ['a map, by its name', mount('0:52', '/dev/mapper/mpatha')],
  ])('is whoever has mounted %s', async (_, mounted) => {
    expect(await userOf(stack, none, async () => [mounted])).toBe(`${mounted.source} is mounted on /srv/two words`)
  })

  it('is nobody where something else is mounted', async () => {
    expect(await userOf(stack, none, async () => [mount('8:16', '/dev/sdb')])).toBeNull()
  })
})
