import 'reflect-metadata'
import { writeFile } from 'node:fs/promises'
import { storageStatePath } from '../../src/agent/storage/state.js'
import type { StorageOptions } from '../../src/wire/storage/arguments.js'
import { eventually } from '../support/eventually.js'
import { Gate } from './support/gate.js'
import { ScriptedStorage, startKeeper } from './support/storage.js'
import { temporaryDirectory } from './support/temporary.js'

const manage = (connectionId: string, lun?: number) => ({
  connectionId,
  uri: `iscsi://host/iqn.2026-01.org.example:disk${lun === undefined ? '' : `?lun=${lun}`}`,
  options: {},
})
const missing = (lun: string) => ({ type: 'no-unit', message: `unit ${lun} is not there` })
const lacking = (...luns: readonly string[]) => ({
  seen: 'up' as const,
  lacks: ({ lun = '' }: StorageOptions) => (luns.includes(lun) ? missing(lun) : null),
})

describe('what one id asks of a target that it shares', () => {
  it('makes that id DOWN where it is missing, and no other', async () => {
    const storage = new ScriptedStorage()
    storage.seen = lacking('2')
    const { keeper, status, observations } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('one', 1), 1)
    await keeper.manage(manage('two', 2), 1)
    await keeper.manage(manage('any'), 1)
    await eventually(() => expect([status('one'), status('two'), status('any')]).toEqual(['UP', 'DOWN', 'UP']))
    expect(observations.findLast(({ subject }) => subject.endsWith('/two'))?.fault).toMatchObject(missing('2'))
    expect(keeper.held().find(({ connectionId }) => connectionId === 'two')?.faultAt).not.toBeNull()
    expect(storage.steps()).toEqual(['connect'])
    expect(keeper.inventory().map((item) => item.status)).toEqual(['UP', 'DOWN', 'UP'])
  })

  it('is told when it comes and when it goes', async () => {
    const storage = new ScriptedStorage()
    storage.seen = lacking('1')
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('one', 1), 1)
    await eventually(() => expect(status('one')).toBe('DOWN'))
    storage.seen = lacking()
    await eventually(() => expect(status('one')).toBe('UP'))
    storage.seen = lacking('1')
    await eventually(() => expect(status('one')).toBe('DOWN'))
  })

  it('is not said to be there before it was looked for', async () => {
    const storage = new ScriptedStorage()
    storage.seen = lacking('1')
    const { keeper, status, statuses } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('any'), 1)
    await eventually(() => expect(status('any')).toBe('UP'))
    await keeper.manage(manage('one', 1), 1)
    await eventually(() => expect(status('one')).toBe('DOWN'))
    expect(statuses('one')).not.toContain('UP')
  })

  it('is looked for at once when it comes during a look, whoever comes after it', async () => {
    const storage = new ScriptedStorage()
    const settings = { probeIntervalMs: 60_000 }
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage, { settings })
    await keeper.manage(manage('any'), 1)
    await eventually(() => expect(status('any')).toBe('UP'))
    const gate = new Gate()
    storage.before.probe = () => gate.passed
    await keeper.manage(manage('one', 1), 1)
    await eventually(() => expect(storage.atOnce).toBe(1))
    const looks = storage.calls.length
    await keeper.manage(manage('two', 2), 1)
    await keeper.manage(manage('other'), 1)
    gate.open()
    await eventually(() => expect(storage.calls).toHaveLength(looks + 1))
  })

  it('is no reason for a conflict, and may change', async () => {
    const storage = new ScriptedStorage()
    storage.seen = lacking('2')
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('one', 2), 1)
    await eventually(() => expect(status('one')).toBe('DOWN'))
    await keeper.manage(manage('one', 3), 2)
    await eventually(() => expect(status('one')).toBe('UP'))
    expect(storage.steps()).toEqual(['connect'])
  })
})

describe('a target that heals by itself', () => {
  it('is DOWN meanwhile, and not connected anew', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.seen = { seen: 'down', heals: true, fault: { type: 'connect', message: 'not connected' } }
    await eventually(() => expect(status('a')).toBe('DOWN'))
    storage.calls.length = 0
    await eventually(() => expect(storage.calls.length).toBeGreaterThan(3))
    expect(storage.steps()).toEqual([])
    storage.seen = { seen: 'up' }
    await eventually(() => expect(status('a')).toBe('UP'))
  })
})

describe('what an older agent wrote down', () => {
  it('means the same in another spelling: nothing is connected anew for that', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const uri = 'posix:///srv/disk.img?fstype=ext4'
    storage.connected.set(uri, { ro: '' })
    const connections = { a: { uri, options: { ro: 'true' }, generation: 1, target: uri } }
    const targets = { [uri]: { bootId: 'boot-1', ownership: 'ours', uri, options: { ro: 'true' } } }
    await writeFile(storageStatePath(directory), JSON.stringify({ version: 1, connections, targets }))
    const { status } = await startKeeper(directory, storage)
    await eventually(() => expect(status('a')).toBe('UP'))
    await eventually(() => expect(storage.calls.length).toBeGreaterThan(3))
    expect(storage.steps()).toEqual([])
  })
})
