import 'reflect-metadata'
import { readFile, writeFile } from 'node:fs/promises'
import { FaultError } from '../../src/agent/fault.js'
import { StateDirectoryError } from '../../src/agent/state-error.js'
import { mountFailed, StuckError } from '../../src/agent/storage/faults.js'
import { StorageState, storageStatePath } from '../../src/agent/storage/state.js'
import { digestOf } from '../../src/wire/digest.js'
import { InventoryItem, Observation } from '../../src/wire/session.js'
import { parseWire } from '../../src/wire/validate.js'
import { eventually } from '../support/eventually.js'
import { Gate } from './support/gate.js'
import { manage, ScriptedStorage, startKeeper } from './support/storage.js'
import { temporaryDirectory } from './support/temporary.js'

const never = new AbortController().signal

describe('manage', () => {
  it('answers once the id is on disk, without waiting for the connection', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const gate = new Gate()
    storage.before.connect = () => gate.passed
    const { keeper, status } = await startKeeper(directory, storage)
    expect(await keeper.manage(manage('a', 'local:/srv//images/'), 3)).toEqual({ target: 'local:///srv/images' })
    const { connections } = JSON.parse(await readFile(storageStatePath(directory), 'utf8'))
    expect(connections.a).toMatchObject({ uri: 'local:/srv//images/', generation: 3, target: 'local:///srv/images' })
    expect(status('a')).toBe('CONNECTING')
    gate.open()
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('refuses what makes no sense, and keeps nothing of it', async () => {
    const { keeper } = await startKeeper(await temporaryDirectory(), new ScriptedStorage())
    await expect(keeper.manage(manage('a', 'nfs://x'), 1)).rejects.toMatchObject({
      type: 'bad-arguments',
      number: 453,
    })
    await expect(keeper.manage(manage('a', 'local:///srv', { ro: '' }), 1)).rejects.toBeInstanceOf(FaultError)
    expect(keeper.held()).toEqual([])
  })

  it('refuses the kind of a scheme that the host lacks, and no other', async () => {
    const storage = new ScriptedStorage()
    storage.obstacle = (kind) => (kind === 'lustre' ? { type: 'unsupported', message: 'no mount.lustre' } : null)
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await expect(keeper.manage(manage('a', 'posix://server/a?fstype=lustre'), 1)).rejects.toMatchObject({
      type: 'unsupported',
      message: 'no mount.lustre',
    })
    expect(keeper.held()).toEqual([])
    await keeper.manage(manage('a', 'posix://server/a?fstype=nfs'), 2)
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('shows a kind that went missing since, and connects it when that is there again', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a', 'posix:///dev/sdb1?fstype=xfs'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.obstacle = (kind) => (kind === 'xfs' ? { type: 'unsupported', message: 'no xfs' } : null)
    storage.connected.clear()
    await eventually(() => expect(keeper.held()).toMatchObject([{ status: 'DOWN', fault: { message: 'no xfs' } }]))
    storage.obstacle = () => null
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('refuses other options for a target that another id holds, naming them and not whose they are', async () => {
    const { keeper } = await startKeeper(await temporaryDirectory(), new ScriptedStorage())
    await keeper.manage(manage('a', 'nfs://server/a?version=4.1', { ro: '' }), 1)
    await expect(keeper.manage(manage('b', 'nfs://server:a', { version: '4.1' }), 1)).rejects.toMatchObject({
      type: 'options-conflict',
      number: 453,
      message: 'nfs://server/a is held by another id of this host with other options: ro differs',
    })
    await keeper.manage(manage('b', 'nfs://server:a', { ro: 'true', version: '4.1', timeo: '100' }), 1)
    expect(keeper.held()).toHaveLength(2)
    const other = manage('b', 'nfs://server:a', { ro: '', version: '3', nconnect: '4' })
    await expect(keeper.manage(other, 2)).rejects.toMatchObject({ message: /: nconnect, version differ$/ })
  })

  it('said again changes nothing', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    await keeper.manage(manage('a'), 2)
    await eventually(() => expect(storage.calls.length).toBeGreaterThan(5))
    expect(storage.steps()).toEqual(['connect'])
    expect(keeper.heldGeneration('storage-connection/a')).toBe(2)
  })

  it('of a held id with another target moves it, and lets the old one go', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a', 'local:///one'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    await keeper.manage(manage('a', 'local:///two'), 2)
    await eventually(() => expect([...storage.connected.keys()]).toEqual(['local:///two']))
  })

  it('of a held id with other options connects it anew with those', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a', 'nfs://server/a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    await keeper.manage(manage('a', 'nfs://server/a', { ro: '' }), 2)
    await eventually(() => expect(storage.connected.get('nfs://server/a')).toEqual({ ro: '' }))
    expect(storage.steps()).toEqual(['connect', 'disconnect gently', 'connect'])
  })

  it('changes nothing when the disk does not take it', async () => {
    const directory = await temporaryDirectory()
    const state = await StorageState.load(directory)
    const { keeper } = await startKeeper(directory, new ScriptedStorage(), { state })
    state.save = async () => {
      throw new Error('ENOSPC')
    }
    await expect(keeper.manage(manage('a'), 1)).rejects.toMatchObject({ type: 'state-not-written' })
    expect(keeper.held()).toEqual([])
  })
})

describe('many ids on one target', () => {
  it('share one connection, which is let go with the last of them', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await Promise.all([keeper.manage(manage('a'), 1), keeper.manage(manage('b', 'local:///srv/'), 1)])
    await eventually(() => expect([status('a'), status('b')]).toEqual(['UP', 'UP']))
    expect(storage.steps()).toEqual(['connect'])
    expect(await keeper.unmanage('a')).toEqual({ outcome: 'released' })
    await eventually(() => expect(storage.calls.length).toBeGreaterThan(6))
    expect(storage.steps()).toEqual(['connect'])
    await keeper.unmanage('b')
    await eventually(() => expect(storage.connected.size).toBe(0))
    expect(storage.steps()).toEqual(['connect', 'disconnect gently'])
  })

  it('are never connected and disconnected at the same time, whatever comes', async () => {
    const storage = new ScriptedStorage()
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
    storage.before = { connect: turn, disconnect: turn }
    const { keeper } = await startKeeper(await temporaryDirectory(), storage)
    let random = 7
    for (let round = 0; round < 200; round += 1) {
      random = (random * 1103515245 + 12345) % 2147483648
      const id = `c${random % 4}`
      if (random % 3 === 0) await keeper.unmanage(id)
      else await keeper.manage(manage(id), round + 1)
      if (random % 5 === 0) await turn()
    }
    expect(storage.mostAtOnce).toBe(1)
    await keeper.manage(manage('last'), 1)
    await eventually(() => expect(keeper.held().find(({ connectionId }) => connectionId === 'last')?.status).toBe('UP'))
    for (const { connectionId } of keeper.held()) await keeper.unmanage(connectionId)
    await eventually(() => expect(storage.connected.size).toBe(0))
    await eventually(() => expect(keeper.leaving()).toEqual([]))
  })
})

describe('unmanage', () => {
  it('of an unknown id finds nothing to do', async () => {
    const { keeper } = await startKeeper(await temporaryDirectory(), new ScriptedStorage())
    expect(await keeper.unmanage('a')).toEqual({ outcome: 'absent' })
  })

  it('does not fail because the disconnect does: that is tracked and tried again', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.before.disconnect = () => {
      throw new FaultError('disconnect', 'target is busy', 452)
    }
    expect(await keeper.unmanage('a')).toEqual({ outcome: 'released' })
    const tracked = {
      target: 'local:///srv',
      status: 'DISCONNECTING',
      preexisting: false,
      fault: { type: 'disconnect', message: 'target is busy', number: 452, at: expect.any(String) },
    }
    await eventually(() => expect(keeper.leaving()).toEqual([tracked]))
    storage.before = {}
    await eventually(() => expect(keeper.leaving()).toEqual([]))
    expect(storage.connected.size).toBe(0)
  })

  it('that still fails is carried on with after a restart of the agent', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a'), 1)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    storage.before.disconnect = () => {
      throw new FaultError('disconnect', 'target is busy', 452)
    }
    await first.keeper.unmanage('a')
    await eventually(() => expect(first.keeper.leaving()).toHaveLength(1))
    await first.keeper.stop()
    storage.before = {}
    const second = await startKeeper(directory, storage)
    await eventually(() => expect(storage.connected.size).toBe(0))
    await eventually(() => expect(second.keeper.leaving()).toEqual([]))
  })

  it('is on disk in the end, though the disk refused at first', async () => {
    const directory = await temporaryDirectory()
    const state = await StorageState.load(directory)
    const { keeper, status } = await startKeeper(directory, new ScriptedStorage(), { state })
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    const save = state.save.bind(state)
    let refused = 0
    state.save = async () => {
      if (state.targets.size > 0) return save()
      refused += 1
      if (refused === 1) throw new Error('ENOSPC')
      return save()
    }
    await keeper.unmanage('a')
    await eventually(() => expect(keeper.leaving()).toEqual([]))
    const { targets } = JSON.parse(await readFile(storageStatePath(directory), 'utf8'))
    expect([refused, targets]).toEqual([2, {}])
  })

  it('gives way to a manage that comes meanwhile: it waits for the step in progress, then wins', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    const gate = new Gate()
    storage.before.disconnect = () => gate.passed
    await keeper.unmanage('a')
    await eventually(() => expect(storage.steps()).toEqual(['connect', 'disconnect gently']))
    await keeper.manage(manage('b'), 1)
    expect(storage.steps()).toEqual(['connect', 'disconnect gently'])
    gate.open()
    await eventually(() => expect(status('b')).toBe('UP'))
    expect(storage.steps()).toEqual(['connect', 'disconnect gently', 'connect'])
    expect(storage.mostAtOnce).toBe(1)
  })

  it('leaves a target alone that was there before its first id', async () => {
    const storage = new ScriptedStorage()
    storage.connected.set('local:///srv', {})
    const { keeper, status, observations } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(keeper.held()[0]?.preexisting).toBe(true)
    expect(observations.at(-1)).toMatchObject({ status: 'UP', detail: { preexisting: true } })
    expect(keeper.inventory()[0]?.detail).toMatchObject({ preexisting: true })
    await keeper.unmanage('a')
    await eventually(() => expect(keeper.leaving()).toEqual([]))
    expect(storage.connected.has('local:///srv')).toBe(true)
    expect(storage.steps()).toEqual([])
  })
})

describe('a target that was there before', () => {
  it('is neither made anew for other options nor when it is of no use: it is only watched', async () => {
    const storage = new ScriptedStorage()
    storage.connected.set('nfs://server/a', {})
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a', 'nfs://server/a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    await keeper.manage(manage('a', 'nfs://server/a', { ro: '' }), 2)
    storage.seen = { seen: 'down', fault: { type: 'mount', message: 'Stale file handle' } }
    await eventually(() => expect(status('a')).toBe('DOWN'))
    storage.seen = { seen: 'up' }
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.steps()).toEqual([])
  })

  it('and went is connected by us, and is ours from then on, also after a restart', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    storage.connected.set('local:///srv', {})
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a'), 1)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    storage.connected.clear()
    await eventually(() => expect(storage.steps()).toEqual(['connect']))
    await first.keeper.stop()
    const second = await startKeeper(directory, storage)
    await eventually(() => expect(second.status('a')).toBe('UP'))
    await second.keeper.unmanage('a')
    await eventually(() => expect(storage.connected.size).toBe(0))
  })

  it('in this boot is not ours because it was in the last one', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a'), 1)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    await first.keeper.stop()
    // After the reboot somebody else connects it before the agent starts.
    const second = await startKeeper(directory, storage, { bootId: 'boot-2' })
    await eventually(() => expect(second.status('a')).toBe('UP'))
    await second.keeper.unmanage('a')
    await eventually(() => expect(second.keeper.leaving()).toEqual([]))
    expect(storage.connected.size).toBe(1)
  })
})

describe('a crash', () => {
  it('in the middle of connecting does not make the target somebody else’s', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const gate = new Gate()
    storage.before.connect = (target) => {
      storage.connected.set(target, {})
      return gate.passed
    }
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a'), 1)
    await eventually(() => expect(storage.connected.size).toBe(1))
    // The mount has happened, the agent is gone; a new one starts on what lies on disk.
    storage.before = {}
    const second = await startKeeper(directory, storage)
    await eventually(() => expect(second.status('a')).toBe('UP'))
    expect(second.keeper.held()[0]?.preexisting).toBe(false)
    await second.keeper.unmanage('a')
    await eventually(() => expect(storage.connected.size).toBe(0))
    gate.open()
  })

  it('and a reboot leave the ids, and what was ours is connected again', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a'), 4)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    await first.keeper.stop()
    storage.connected.clear()
    const second = await startKeeper(directory, storage, { bootId: 'boot-2' })
    await eventually(() => expect(second.status('a')).toBe('UP'))
    expect(second.keeper.inventory()).toMatchObject([{ subject: 'storage-connection/a', generation: 4, status: 'UP' }])
    expect(storage.steps()).toEqual(['connect', 'connect'])
  })

  it('without a reboot leaves mounts, which are taken up without being touched', async () => {
    const directory = await temporaryDirectory()
    const storage = new ScriptedStorage()
    const first = await startKeeper(directory, storage)
    await first.keeper.manage(manage('a'), 1)
    await eventually(() => expect(first.status('a')).toBe('UP'))
    await first.keeper.stop()
    expect(storage.connected.size).toBe(1)
    const second = await startKeeper(directory, storage)
    await eventually(() => expect(second.status('a')).toBe('UP'))
    expect(storage.steps()).toEqual(['connect'])
  })

  it('of an agent that knew other schemes leaves the rest to this one', async () => {
    const directory = await temporaryDirectory()
    const connection = { options: {}, generation: 1 }
    const connections = {
      future: { ...connection, uri: 'future://x', target: 'future://x' },
      a: { ...connection, uri: 'local:///srv', target: 'local:///srv' },
    }
    await writeFile(storageStatePath(directory), JSON.stringify({ version: 1, connections, targets: {} }))
    const { keeper, status } = await startKeeper(directory, new ScriptedStorage())
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(keeper.held().find(({ connectionId }) => connectionId === 'future')?.status).toBe('UNKNOWN')
  })

  it('that spoiled the state file keeps the agent from starting', async () => {
    const directory = await temporaryDirectory()
    await writeFile(storageStatePath(directory), '{"version": 1, "conn')
    await expect(StorageState.load(directory)).rejects.toBeInstanceOf(StateDirectoryError)
  })
})

describe('keeping up', () => {
  it('shows the connection DOWN with the tool’s words while the mount is refused, and UP when it goes', async () => {
    const storage = new ScriptedStorage()
    storage.before.connect = () => {
      throw mountFailed('wrong fs type, bad superblock')
    }
    const { keeper, status, statuses, observations } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(storage.steps().length).toBeGreaterThan(3))
    expect(statuses('a')).toEqual(['CONNECTING', 'DOWN'])
    const at = keeper.held()[0]?.faultAt
    expect(at).toMatch(/^\d{4}-/)
    const fault = { type: 'mount', message: 'wrong fs type, bad superblock', number: 477, at }
    expect(observations.at(-1)?.fault).toEqual(fault)
    expect(keeper.inventory()[0]?.fault).toEqual(fault)
    storage.before = {}
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(observations.at(-1)?.fault).toBeNull()
  })

  it('connects again what was lost', async () => {
    const storage = new ScriptedStorage()
    const { keeper, statuses, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.connected.clear()
    await eventually(() => expect(statuses('a')).toEqual(['CONNECTING', 'UP', 'DOWN', 'UP']))
    expect(storage.steps()).toEqual(['connect', 'connect'])
  })

  it('makes a connection anew that is of no use', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.before.disconnect = () => {
      storage.seen = { seen: 'up' }
    }
    storage.seen = { seen: 'down', fault: { type: 'mount', message: 'Stale file handle' } }
    await eventually(() => expect(storage.steps()).toEqual(['connect', 'disconnect gently', 'connect']))
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('shows DEGRADED and leaves the connection as it is', async () => {
    const storage = new ScriptedStorage()
    storage.seen = { seen: 'degraded', fault: { type: 'mount', message: 'has become read-only' } }
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('DEGRADED'))
    storage.seen = { seen: 'up' }
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.steps()).toEqual(['connect'])
  })

  it('shows STUCK while a probe hangs, starts no second one beside it, and goes on when it ends', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    const gate = new Gate()
    storage.before.probe = () => {
      throw new StuckError('did not answer within 100 ms', gate.passed)
    }
    await eventually(() => expect(status('a')).toBe('STUCK'))
    const probes = storage.calls.length
    await keeper.manage(manage('b'), 1)
    expect(status('b')).toBe('STUCK')
    expect(storage.calls).toHaveLength(probes)
    storage.before = {}
    gate.open()
    await eventually(() => expect([status('a'), status('b')]).toEqual(['UP', 'UP']))
  })

  it('lets a stuck target go when its last id goes', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.before.probe = () => {
      throw new StuckError('hangs', new Promise(() => undefined))
    }
    await eventually(() => expect(status('a')).toBe('STUCK'))
    await keeper.unmanage('a')
    await eventually(() => expect(storage.connected.size).toBe(0))
    expect(storage.steps()).toEqual(['connect', 'disconnect lazily'])
  })

  it('slows nobody else down', async () => {
    const storage = new ScriptedStorage()
    const gate = new Gate()
    storage.before.connect = (target) => (target === 'local:///slow' ? gate.passed : undefined)
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('slow', 'local:///slow'), 1)
    await keeper.manage(manage('fast', 'local:///fast'), 1)
    await eventually(() => expect(status('fast')).toBe('UP'))
    expect(status('slow')).toBe('CONNECTING')
    gate.open()
  })

  it('obeys the plane’s interval', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage, {
      settings: { probeIntervalMs: 60_000 },
    })
    keeper.obey({ 'storage.probeIntervalMs': 10, 'other.setting': 1 })
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    await eventually(() => expect(storage.calls.length).toBeGreaterThan(5))
  })
})

describe('reset', () => {
  it('disconnects and connects once, and all ids of the target see it', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status, statuses } = await startKeeper(await temporaryDirectory(), storage)
    await Promise.all([keeper.manage(manage('a'), 1), keeper.manage(manage('b'), 1)])
    await eventually(() => expect(status('b')).toBe('UP'))
    expect(await keeper.reset('a', never)).toEqual({ target: 'local:///srv', status: 'UP' })
    expect(storage.steps()).toEqual(['connect', 'disconnect firmly', 'connect'])
    expect(statuses('b').slice(-2)).toEqual(['CONNECTING', 'UP'])
  })

  it('tells why the target could not be connected, and goes on trying', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.before.connect = () => {
      throw mountFailed('no such device')
    }
    await expect(keeper.reset('a', never)).rejects.toMatchObject({ type: 'mount', message: 'no such device' })
    storage.before = {}
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('lets go of a target whose probe hangs', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    storage.before.probe = () => {
      throw new StuckError('hangs', new Promise(() => undefined))
    }
    await eventually(() => expect(status('a')).toBe('STUCK'))
    storage.before = {}
    expect(await keeper.reset('a', never)).toMatchObject({ status: 'UP' })
    expect(storage.steps()).toEqual(['connect', 'disconnect lazily', 'connect'])
  })

  it('that is not waited for any longer does not happen later', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    const [gate, abort] = [new Gate(), new AbortController()]
    storage.before.probe = () => gate.passed
    await eventually(() => expect(storage.atOnce).toBe(1))
    const [late, wanted] = [keeper.reset('a', abort.signal), keeper.reset('a', never)]
    abort.abort()
    await expect(late).rejects.toMatchObject({ type: 'aborted' })
    await expect(keeper.reset('a', abort.signal)).rejects.toMatchObject({ type: 'aborted' })
    gate.open()
    expect(await wanted).toMatchObject({ status: 'UP' })
    expect(storage.steps()).toEqual(['connect', 'disconnect firmly', 'connect'])
  })

  it('that nobody waits for any longer is not begun', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    const [gate, abort] = [new Gate(), new AbortController()]
    storage.before.probe = () => gate.passed
    await eventually(() => expect(storage.atOnce).toBe(1))
    const late = keeper.reset('a', abort.signal)
    abort.abort()
    await expect(late).rejects.toMatchObject({ type: 'aborted' })
    const probes = storage.calls.length
    gate.open()
    await eventually(() => expect(storage.calls.length).toBeGreaterThan(probes + 2))
    expect(storage.steps()).toEqual(['connect'])
  })

  it('that has begun goes on to its end, though nobody waits', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    await keeper.manage(manage('a'), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    const [gate, abort] = [new Gate(), new AbortController()]
    storage.before.connect = () => gate.passed
    const late = keeper.reset('a', abort.signal)
    await eventually(() => expect(storage.steps()).toEqual(['connect', 'disconnect firmly', 'connect']))
    abort.abort()
    await expect(late).rejects.toMatchObject({ type: 'aborted' })
    expect(status('a')).toBe('CONNECTING')
    gate.open()
    await eventually(() => expect(status('a')).toBe('UP'))
  })

  it('of an unknown id, or of what is not ours, is refused', async () => {
    const storage = new ScriptedStorage()
    storage.connected.set('local:///srv', {})
    const { keeper } = await startKeeper(await temporaryDirectory(), storage)
    await expect(keeper.reset('a', never)).rejects.toMatchObject({ type: 'not-registered', number: 479 })
    await keeper.manage(manage('a'), 1)
    await expect(keeper.reset('a', never)).rejects.toMatchObject({ type: 'preexisting' })
    expect(storage.steps()).toEqual([])
  })
})

describe('what the plane sees', () => {
  it('fits the wire, and carries the digest of the intent', async () => {
    const { keeper, observations, status } = await startKeeper(await temporaryDirectory(), new ScriptedStorage())
    await keeper.manage(manage('a', 'nfs://server:a', { ro: '' }), 1)
    await eventually(() => expect(status('a')).toBe('UP'))
    for (const observation of observations) parseWire(Observation, observation)
    const [item] = keeper.inventory()
    parseWire(InventoryItem, item)
    expect(item).toMatchObject({
      digest: digestOf({ options: { ro: '' }, uri: 'nfs://server:a' }),
      detail: { uri: 'nfs://server:a', target: 'nfs://server/a', preexisting: false },
    })
  })
})
