import 'reflect-metadata'
import { randomUUID } from 'node:crypto'
import { readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { faultOf } from '../../src/agent/fault.js'
import { stateSealer } from '../../src/agent/host/sealing.js'
import { StateDirectoryError } from '../../src/agent/state-error.js'
import { mountFailed } from '../../src/agent/storage/faults.js'
import { OwnConnections } from '../../src/agent/storage/own-connections.js'
import { StorageState, storageStatePath } from '../../src/agent/storage/state.js'
import { digestOf } from '../../src/wire/digest.js'
import type { StorageCredentials, StorageOptions } from '../../src/wire/storage/arguments.js'
import { eventually } from '../support/eventually.js'
import { ScriptedStorage, startKeeper } from './support/storage.js'
import { temporaryDirectory } from './support/temporary.js'

const target = 'iscsi://host/iqn.2026-01.org.example:disk;portal=1'
const uri = 'iscsi://host/iqn.2026-01.org.example:disk'
const manage = (connectionId: string, chapPassword: string) => ({
  connectionId,
  uri,
  options: { chapUser: 'kim' },
  credentials: { chapPassword },
})

const KEY = 'AQBTn2Fngl0oLBAAe5g3nPtTDnU4vYbPfPZq8A=='

/** With programs of the host that ask; each start finds another boot. */
async function startOwn(directory: string, storage: ScriptedStorage) {
  const state = await StorageState.load(directory)
  const { keeper } = await startKeeper(directory, storage, { state, bootId: randomUUID() })
  return { keeper, own: new OwnConnections(keeper, state, () => undefined) }
}

async function everything(directory: string): Promise<string> {
  const names = await readdir(directory)
  return (await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')))).join('\n')
}

describe('credentials on a host', () => {
  it('reach the driver, and lie sealed on disk under a key that nobody else may read', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(directory, storage)
    await keeper.manage(manage('a', 'swordfish'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.credentials.get(target)).toEqual({ chapPassword: 'swordfish' })
    expect(await everything(directory)).not.toContain('swordfish')
    expect((await stat(join(directory, 'sealing-key'))).mode & 0o777).toBe(0o600)
    const said = JSON.stringify([keeper.held(), keeper.inventory(), keeper.leaving()])
    expect(said).not.toContain('swordfish')
    expect(said).not.toContain('chapPassword')
  })

  it('are there again after a restart, for a target that has to be connected anew', async () => {
    const directory = await temporaryDirectory()
    const first = await startKeeper(directory, new ScriptedStorage())
    await first.keeper.manage(manage('a', 'swordfish'), 3)
    await first.keeper.stop()
    const storage = new ScriptedStorage()
    const second = await startKeeper(directory, storage, { bootId: 'boot-2' })
    await eventually(() => expect(second.status('a')).toBe('UP'))
    expect(storage.credentials.get(target)).toEqual({ chapPassword: 'swordfish' })
    expect(second.keeper.heldGeneration('storage-connection/a')).toBe(3)
  })

  it('that were changed are those of the next connecting: what is up stays up', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a', 'old'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    await keeper.manage(manage('a', 'new'), 2)
    storage.calls.length = 0
    await eventually(() => expect(storage.calls.length).toBeGreaterThan(3))
    expect(storage.steps()).toEqual([])
    storage.connected.clear()
    await eventually(() => expect(storage.credentials.get(target)).toEqual({ chapPassword: 'new' }))
  })

  it("of the id that was managed last are the target's, also after a restart", async () => {
    const directory = await temporaryDirectory()
    const first = await startKeeper(directory, new ScriptedStorage())
    await first.keeper.manage(manage('2', 'oldest'), 1)
    await first.keeper.manage(manage('1', 'newest'), 1)
    await first.keeper.manage(manage('3', 'between'), 1)
    await first.keeper.manage(manage('1', 'newest'), 2)
    await first.keeper.stop()
    const storage = new ScriptedStorage()
    await startKeeper(directory, storage, { bootId: 'boot-2' })
    await eventually(() => expect(storage.credentials.get(target)).toEqual({ chapPassword: 'newest' }))
  })

  it('of an id that was released are used no more: those of the newest that is left are', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('oldest', 'first'), 1)
    await keeper.manage(manage('left', 'second'), 1)
    await keeper.manage(manage('newest', 'third'), 1)
    await eventually(() => expect(status('newest')).toBe('UP'))
    await keeper.unmanage('newest')
    storage.connected.clear()
    await eventually(() => expect(storage.connected.size).toBe(1))
    expect(storage.credentials.get(target)).toEqual({ chapPassword: 'second' })
    await keeper.unmanage('oldest')
    await keeper.reset('left', new AbortController().signal)
    expect(storage.credentials.get(target)).toEqual({ chapPassword: 'second' })
  })

  it('that changed are tried at once where the old ones were refused', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage, {
      backoff: { baseMs: 60_000, maxMs: 60_000 },
    })
    storage.before.connect = () => {
      throw mountFailed('authorization failure')
    }
    await keeper.manage(manage('a', 'wrong'), 1)
    await eventually(() => expect(status('a')).toBe('DOWN'))
    storage.before = {}
    await keeper.manage(manage('a', 'right'), 2)
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('that changed are told of by what the next try with them shows, be it the same error', async () => {
    const storage = new ScriptedStorage()
    const { keeper, observations, status } = await startKeeper(await temporaryDirectory(), storage)
    storage.before.connect = () => {
      throw mountFailed('authorization failure')
    }
    await keeper.manage(manage('a', 'wrong'), 1)
    await eventually(() => expect(status('a')).toBe('DOWN'))
    await keeper.manage(manage('a', 'wrong-too'), 2)
    const ofThese = () => observations.filter(({ generation }) => generation === 2)
    await eventually(() =>
      expect(ofThese()).toMatchObject([
        { status: 'CONNECTING', fault: null },
        { status: 'DOWN', fault: { message: 'authorization failure' } },
      ]),
    )
    await keeper.manage(manage('a', 'wrong-too'), 3)
    expect(observations.at(-1)).toMatchObject({ generation: 3, status: 'DOWN' })
  })

  it('change no digest: that of the plane needs no secret either', async () => {
    const { keeper } = await startKeeper(await temporaryDirectory(), new ScriptedStorage())
    await keeper.manage(manage('a', 'swordfish'), 1)
    expect(keeper.inventory()[0]?.digest).toBe(digestOf({ uri, options: { chapUser: 'kim' } }))
  })

  it('whose key is lost are asked for again, by a generation that the plane is ahead of', async () => {
    const directory = await temporaryDirectory()
    const first = await startKeeper(directory, new ScriptedStorage())
    await first.keeper.manage(manage('a', 'swordfish'), 7)
    await first.keeper.stop()
    await unlink(join(directory, 'sealing-key'))
    const storage = new ScriptedStorage()
    const second = await startKeeper(directory, storage, { bootId: 'boot-2' })
    expect(second.keeper.inventory()).toMatchObject([{ subject: 'storage-connection/a', generation: 0 }])
    await eventually(() =>
      expect(second.keeper.held()).toMatchObject([{ status: 'DOWN', fault: { type: 'credentials-lost' } }]),
    )
    expect(storage.steps()).toEqual([])
    await second.keeper.manage(manage('a', 'swordfish'), 8)
    await eventually(() => expect(storage.credentials.get(target)).toEqual({ chapPassword: 'swordfish' }))
    expect((await StorageState.load(directory)).connections.get('a')?.credentials).toEqual({
      chapPassword: 'swordfish',
    })
  })

  it('whose key is lost stay lost over the next restart, also where a connection may do without', async () => {
    const directory = await temporaryDirectory()
    const asked = { connectionId: 'a', uri: 'ceph://mon/a', options: {}, credentials: { secret: KEY } }
    const first = await startKeeper(directory, new ScriptedStorage())
    await first.keeper.manage(asked, 7)
    await first.keeper.stop()
    await unlink(join(directory, 'sealing-key'))
    for (const bootId of ['boot-2', 'boot-3']) {
      const storage = new ScriptedStorage()
      const later = await startKeeper(directory, storage, { bootId })
      const held = () => later.keeper.held().find(({ connectionId }) => connectionId === 'a')
      await eventually(() => expect(held()).toMatchObject({ status: 'DOWN', fault: { type: 'credentials-lost' } }))
      expect(storage.connected.has('ceph://mon/a')).toBe(false)
      // written anew
      await later.keeper.manage({ connectionId: 'b', uri: 'local:///srv', options: {} }, 1)
      await later.keeper.stop()
    }
  })

  it.each<[what: string, uri: string, options: StorageOptions, credentials: StorageCredentials]>([
    ['that it needs', uri, { chapUser: 'kim' }, { chapPassword: 'swordfish' }],
    ['that it may do without', 'ceph://mon/a', {}, { secret: KEY }],
  ])(
    '%s and whose key is lost are taken from the program that gives them again',
    async (_, at, options, credentials) => {
      const directory = await temporaryDirectory()
      const first = await startOwn(directory, new ScriptedStorage())
      await first.own.manage('a', { uri: at, options, credentials })
      await first.keeper.stop()
      await unlink(join(directory, 'sealing-key'))
      const storage = new ScriptedStorage()
      const { own, keeper } = await startOwn(directory, storage)
      await eventually(() => expect(keeper.held()).toMatchObject([{ fault: { type: 'credentials-lost' } }]))
      const elsewhere = own.manage('a', { uri: 'local:///srv' }).then(() => null, faultOf)
      expect(await elsewhere).toMatchObject({ type: 'id-in-use', number: 478 })
      await own.manage('a', { uri: at, options, credentials })
      await eventually(() => expect(keeper.held()).toMatchObject([{ status: 'UP', fault: null }]))
      expect([...storage.credentials.values()]).toEqual([credentials])
      await own.manage('a', { uri: at, options, credentials })
      expect((await StorageState.load(directory)).connections.get('host/a')?.credentials).toEqual(credentials)
    },
  )

  it('whose key is lost do not keep what is connected from being watched', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a', 'swordfish'), 7)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    await first.keeper.stop()
    await unlink(join(directory, 'sealing-key'))
    const second = await startKeeper(directory, storage)
    await eventually(() => expect(second.status('a')).toBe('UP'))
    expect(storage.steps()).toEqual(['connect'])
  })

  it('are not needed to let go of what was left when the agent ended', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a', 'swordfish'), 1)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    storage.before.disconnect = () => {
      throw mountFailed('busy')
    }
    await first.keeper.unmanage('a')
    await eventually(() => expect(storage.calls).toContain('disconnect gently'))
    await first.keeper.stop()
    expect(storage.connected.size).toBe(1)
    storage.before = {}
    const second = await startKeeper(directory, storage)
    await eventually(() => expect(storage.connected.size).toBe(0))
    await eventually(() => expect(second.keeper.leaving()).toEqual([]))
  })

  it('under a key that is none are not overwritten', async () => {
    const directory = await temporaryDirectory()
    const first = await startKeeper(directory, new ScriptedStorage())
    await first.keeper.manage(manage('a', 'swordfish'), 1)
    await first.keeper.stop()
    await writeFile(join(directory, 'sealing-key'), 'nonsense')
    await expect(StorageState.load(directory)).rejects.toThrow(StateDirectoryError)
  })

  it('make no key where there are none', async () => {
    const directory = await temporaryDirectory()
    const { keeper } = await startKeeper(directory, new ScriptedStorage())
    await keeper.manage({ connectionId: 'a', uri: 'local:///srv', options: {}, credentials: {} }, 1)
    await StorageState.load(directory)
    expect(await readdir(directory)).not.toContain('sealing-key')
    expect(JSON.parse(await readFile(storageStatePath(directory), 'utf8')).connections.a).not.toHaveProperty(
      'credentials',
    )
  })

  it('do not open in another place, nor when they were touched', async () => {
    const sealer = await stateSealer(await temporaryDirectory())
    const sealed = sealer.seal('swordfish', 'storage.json/a')
    expect(sealer.open(sealed, 'storage.json/a')).toBe('swordfish')
    expect(sealer.open(sealed, 'storage.json/b')).toBeNull()
    for (let at = 'sealed:1:'.length; at < sealed.length - 1; at += 5) {
      const other = sealed[at] === 'A' ? 'B' : 'A'
      expect(sealer.open(sealed.slice(0, at) + other + sealed.slice(at + 1), 'storage.json/a')).toBeNull()
    }
    for (const text of ['', 'swordfish', 'sealed:1:', 'sealed:2:AAAA']) expect(sealer.open(text, 'x')).toBeNull()
  })

  it('that are refused are not in the fault', async () => {
    const { keeper } = await startKeeper(await temporaryDirectory(), new ScriptedStorage())
    const fault = await keeper.manage(manage('a', 'sword fish'), 1).then(() => null, faultOf)
    expect(fault).toMatchObject({ type: 'bad-arguments', number: 453 })
    expect(fault?.message).toContain('credentials.chapPassword')
    expect(fault?.message).not.toContain('fish')
  })
})
