import 'reflect-metadata'
import { disconnectFailed, StuckError } from '../../src/agent/storage/faults.js'
import { eventually } from '../support/eventually.js'
import { Gate } from './support/gate.js'
import { manage, ScriptedStorage, startKeeper } from './support/storage.js'
import { temporaryDirectory } from './support/temporary.js'

const never = new AbortController().signal
const target = 'nfs://server/a'

function hangs(): Gate & { readonly hang: () => never } {
  const gate = new Gate()
  const hang = () => {
    throw new StuckError('hangs', gate.passed)
  }
  return Object.assign(gate, { hang })
}

async function connected(storage = new ScriptedStorage()) {
  const kept = await startKeeper(await temporaryDirectory(), storage)
  await kept.keeper.manage(manage('a', target), 1)
  await eventually(() => expect(kept.status('a')).toBe('UP'))
  return { ...kept, storage }
}

/** Of a first id, and it hangs. */
async function mounting() {
  const storage = new ScriptedStorage()
  const kept = await startKeeper(await temporaryDirectory(), storage)
  const mount = hangs()
  storage.before.connect = mount.hang
  await kept.keeper.manage(manage('a', target), 1)
  await eventually(() => expect(kept.status('a')).toBe('STUCK'))
  return { ...kept, storage, mount }
}

describe('a mount that hangs', () => {
  it('and is mounted after all when its last id has gone is let go of', async () => {
    const { keeper, storage, mount } = await mounting()
    await keeper.unmanage('a')
    expect(keeper.leaving()).toMatchObject([{ target, status: 'STUCK' }])
    storage.connected.set(target, {})
    mount.open()
    await eventually(() => expect(keeper.leaving()).toEqual([]))
    expect(storage.connected.size).toBe(0)
    expect(storage.steps()).toEqual(['connect', 'disconnect gently'])
  })

  it('and is mounted after all is ours, and not mounted a second time', async () => {
    const { keeper, status, storage, mount } = await mounting()
    storage.connected.set(target, {})
    mount.open()
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.steps()).toEqual(['connect'])
    expect(keeper.held()[0]?.preexisting).toBe(false)
  })

  it.each(['disconnect', 'connect'] as const)(
    'in the %s for other options is waited for: nothing is done beside it',
    async (hanging) => {
      const { keeper, status, storage } = await connected()
      const step = hangs()
      storage.before[hanging] = step.hang
      await keeper.manage(manage('a', target, { ro: '' }), 2)
      await eventually(() => expect(status('a')).toBe('STUCK'))
      const beside: string[] = []
      const note = (of: string) => void beside.push(of)
      storage.before = { connect: note, disconnect: note }
      const reset = keeper.reset('a', never).catch(() => undefined)
      await keeper.unmanage('a')
      await keeper.manage(manage('other', 'nfs://server/other'), 1)
      await eventually(() => expect(status('other')).toBe('UP'))
      expect(beside).toEqual(['nfs://server/other'])
      storage.connected.set(target, {})
      step.open()
      await eventually(() => expect(keeper.leaving()).toEqual([]))
      expect(storage.connected.has(target)).toBe(false)
      await keeper.stop()
      await reset
    },
  )
})

describe('a probe that hangs right after its target was connected', () => {
  it('is left behind when the last id goes', async () => {
    const storage = new ScriptedStorage()
    const { keeper, status } = await startKeeper(await temporaryDirectory(), storage)
    storage.before.probe = hangs().hang
    await keeper.manage(manage('a', target), 1)
    await eventually(() => expect(status('a')).toBe('STUCK'))
    await keeper.unmanage('a')
    await eventually(() => expect(storage.connected.size).toBe(0))
    expect(storage.steps()).toEqual(['connect', 'disconnect lazily'])
  })

  it('is left behind by a reset, also when that was a reset too', async () => {
    const { keeper, status, storage } = await connected()
    storage.before.probe = hangs().hang
    await expect(keeper.reset('a', never)).rejects.toMatchObject({ type: 'stuck' })
    await eventually(() => expect(status('a')).toBe('STUCK'))
    storage.before = {}
    expect(await keeper.reset('a', never)).toMatchObject({ status: 'UP' })
    expect(storage.steps().slice(-2)).toEqual(['disconnect lazily', 'connect'])
  })
})

describe('a probe that hangs on what is left as it is', () => {
  async function preexisting() {
    const storage = new ScriptedStorage()
    storage.connected.set(target, {})
    const kept = await startKeeper(await temporaryDirectory(), storage)
    const probe = hangs()
    storage.before.probe = probe.hang
    await kept.keeper.manage(manage('a', target), 1)
    await eventually(() => expect(kept.status('a')).toBe('STUCK'))
    return { ...kept, storage, probe }
  }

  it('has no other one beside it, however often a reset is asked for', async () => {
    const { keeper, status, storage, probe } = await preexisting()
    for (let round = 0; round < 5; round += 1) {
      await expect(keeper.reset('a', never)).rejects.toMatchObject({ type: 'preexisting' })
    }
    expect(storage.calls).toEqual(['probe'])
    storage.before = {}
    probe.open()
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.steps()).toEqual([])
  })

  it('holds up neither its release nor what comes after', async () => {
    const { keeper, status, storage, probe } = await preexisting()
    await expect(keeper.reset('a', never)).rejects.toMatchObject({ type: 'preexisting' })
    await keeper.unmanage('a')
    await eventually(() => expect(keeper.leaving()).toEqual([]))
    storage.before = {}
    await keeper.manage(manage('b', target), 1)
    await eventually(() => expect(status('b')).toBe('UP'))
    expect(storage.steps()).toEqual([])
    probe.open()
  })
})

describe('other options for a target that is busy', () => {
  const busy = () => {
    throw disconnectFailed('target is busy')
  }

  it('wait for it, and it is shown DEGRADED, with the reason, while it works', async () => {
    const { keeper, status, statuses, storage } = await connected()
    storage.before.disconnect = busy
    await keeper.manage(manage('a', target, { ro: '' }), 2)
    await eventually(() => expect(status('a')).toBe('DEGRADED'))
    expect(keeper.held()[0]?.fault).toEqual({
      type: 'disconnect',
      message: 'it works on with its old options, since it cannot be connected anew: target is busy',
      number: 452,
    })
    await eventually(() => expect(storage.steps().length).toBeGreaterThan(3))
    storage.before = {}
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.connected.get(target)).toEqual({ ro: '' })
    expect(statuses('a')).not.toContain('DOWN')
  })

  it('do not keep it from being watched', async () => {
    const { keeper, status, storage } = await connected()
    storage.before.disconnect = busy
    await keeper.manage(manage('a', target, { ro: '' }), 2)
    await eventually(() => expect(status('a')).toBe('DEGRADED'))
    storage.seen = { seen: 'down', fault: { type: 'stale', message: 'Stale file handle' } }
    await eventually(() => expect(status('a')).toBe('DOWN'))
    storage.seen = { seen: 'up' }
    await eventually(() => expect(status('a')).toBe('DEGRADED'))
    storage.connected.clear()
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.connected.get(target)).toEqual({ ro: '' })
  })

  it('that are taken back leave it as it was', async () => {
    const { keeper, status, storage } = await connected()
    storage.before.disconnect = busy
    await keeper.manage(manage('a', target, { ro: '' }), 2)
    await eventually(() => expect(status('a')).toBe('DEGRADED'))
    await keeper.manage(manage('a', target), 3)
    await eventually(() => expect(status('a')).toBe('UP'))
    expect(storage.connected.get(target)).toEqual({})
  })
})
