import { silentLogger } from '../../src/agent/logger.js'
import { createObservationOutbox } from '../../src/agent/observations.js'
import { OwnThings } from '../../src/agent/own-things.js'
import { HOST_CONNECTION } from '../../src/wire/own-things.js'
import type { InventoryItem, Observation } from '../../src/wire/session.js'
import { eventually } from '../support/eventually.js'
import { ScriptedPlane } from './support/plane.js'
import { whenTestEnds } from './support/temporary.js'

const item = (id: string, status = 'UP'): InventoryItem => ({
  subject: `${HOST_CONNECTION}/${id}`,
  generation: 0,
  status,
  origin: 'host',
  digest: id,
  fault: null,
  detail: { uri: `local:///${id}` },
})

function start() {
  const plane = new ScriptedPlane()
  const heard: Observation[] = []
  let takes = true
  const outbox = createObservationOutbox(plane.current, silentLogger, { backoff: { baseMs: 5, maxMs: 10 } })
  const things: InventoryItem[] = []
  const own = new OwnThings({ list: () => things, outbox, current: plane.current })
  whenTestEnds(async () => {
    own.stop()
    outbox.stop()
  })
  return {
    plane,
    heard,
    things,
    own,
    outbox,
    takesNothing: () => {
      takes = false
    },
    /** As the session client does: the inventory goes before everything else. */
    open: () => {
      takes = true
      own.inventory()
      const session = plane.connect()
      session.observe = async (observations) => {
        if (!takes) throw new Error('the connection broke')
        heard.push(...observations)
      }
    },
  }
}

describe('what a host has of itself', () => {
  it('is told once for each change, and not where nothing is different', async () => {
    const { open, own, things, heard } = start()
    things.push(item('a'))
    open()
    things.push(item('b'))
    own.changed()
    own.changed()
    await eventually(() => expect(heard).toMatchObject([{ subject: `${HOST_CONNECTION}/b`, status: 'UP' }]))
    things.length = 0
    things.push(item('a', 'DOWN'))
    own.changed()
    await eventually(() => expect(heard).toHaveLength(3))
    expect(heard.slice(1)).toMatchObject([
      { subject: `${HOST_CONNECTION}/b`, gone: true },
      { subject: `${HOST_CONNECTION}/a`, status: 'DOWN' },
    ])
  })

  it('is not told as it was when a session broke, once it is no more', async () => {
    const { plane, open, takesNothing, own, outbox, things, heard } = start()
    open()
    takesNothing()
    things.push(item('a'))
    own.changed()
    await eventually(() => expect(outbox.size).toBe(1))
    plane.disconnect()
    things.length = 0
    own.changed()
    open()
    things.push(item('b'))
    own.changed()
    await eventually(() => expect(heard.map(({ subject }) => subject)).toEqual([`${HOST_CONNECTION}/b`]))
    expect(outbox.size).toBe(0)
  })

  it('that went while the inventory was on its way is told as soon as the session is open', async () => {
    const { plane, own, things, heard } = start()
    things.push(item('a'))
    own.inventory()
    things.length = 0
    own.changed()
    const session = plane.connect()
    session.observe = async (observations) => void heard.push(...observations)
    await eventually(() => expect(heard).toMatchObject([{ subject: `${HOST_CONNECTION}/a`, gone: true }]))
  })
})
