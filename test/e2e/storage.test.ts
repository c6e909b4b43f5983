import { eventually } from '../support/eventually.js'
import type { Plane } from '../trial/support/plane.js'
import { Chance, promisedMs, scaled } from '../trial/support/scale.js'
import { Connections } from './support/connections.js'
import { describeWithHosts } from './support/described.js'
import { MAKING_MS } from './support/image.js'
import { IscsiServer } from './support/iscsi-server.js'
import { NfsServer } from './support/nfs-server.js'
import { iscsiKind, iscsiNames, nfsExports, nfsKind, type StorageKind, TARGETS } from './support/storage-kind.js'
import { START_MS, type VirtualHost } from './support/virtual-host.js'
import { countNow, watching } from './support/watch.js'
import { World } from './support/world.js'

const CLIENTS = 8
const REQUESTS_EACH = 200
/** Of each kind. */
const CYCLES = scaled(50, 25)
const PROBE_INTERVAL_MS = 5_000
/** Emulated, beside others' work. */
const CONNECT_MS = 20_000

/** What needs a kernel of its own; the others are tried on the machine itself. */
const kinds = ['nfs', 'iscsi'] as const

/** What holds for every kind of storage, on a real host with the real thing. */
describeWithHosts('storage connections of a virtual host', () => {
  let world: World
  let plane: Plane
  let host: VirtualHost
  let held: Connections
  let kindOf: Readonly<Record<(typeof kinds)[number], StorageKind>>

  beforeAll(async () => {
    world = await World.make()
    ;[plane, host] = await world.planeAndHost()
    const iscsi = world.with(
      await IscsiServer.start(
        world.ground,
        iscsiNames.map((iqn) => ({ iqn })),
      ),
    )
    const nfs = world.with(await NfsServer.start(world.ground, nfsExports))
    kindOf = { nfs: nfsKind(nfs), iscsi: iscsiKind(iscsi) }
    const settings = '/api/v1/settings/storage.probeIntervalMs'
    expect(await plane.rest.send('PUT', settings, { value: PROBE_INTERVAL_MS })).toMatchObject({ status: 200 })
    held = await Connections.of(plane, host)
  }, MAKING_MS + 240_000)
  // what a failed test leaves is not the next one's
  afterEach(async () => held.release(...(await held.settled())), 120_000)
  afterAll(() => world?.end(), 60_000)

  describe.each(kinds)('of the kind %s', (scheme) => {
    let kind: StorageKind
    beforeAll(() => {
      kind = kindOf[scheme]
    })
    const connectedTimes = (target: number, work: () => Promise<void>) => watching(host, kind.watched(target), work)
    /** Once the kernel has it so many times. */
    const isConnected = (target: number, times: number, timeoutMs = CONNECT_MS) =>
      eventually(async () => expect(await countNow(host, kind.watched(target))).toBe(times), { timeoutMs })

    it('is connected if and only if an id is left, and never twice, while many clients manage and unmanage', async () => {
      const ids = [`${scheme}-one`, `${scheme}-two`] as const
      let accepted = 0
      const client = async (_: unknown, number: number) => {
        const chance = new Chance(`${scheme}-${number}`)
        for (let n = 0; n < REQUESTS_EACH; n += 1) {
          const id = chance.pick(ids)
          const { status } = await (chance.next() < 0.5 ? held.put(id, kind.wanted(0)) : held.delete(id))
          // done, already so, another is at it, or there is none
          expect([200, 202, 404, 409]).toContain(status)
          if (status === 202) accepted += 1
        }
      }
      let left: readonly string[] = []
      const seen = await connectedTimes(0, async () => {
        await Promise.all(Array.from({ length: CLIENTS }, client))
        left = (await held.settled()).filter((id) => (ids as readonly string[]).includes(id))
        await isConnected(0, left.length > 0 ? 1 : 0)
        // changes may have come too fast for it to be connected even once
        left = [...new Set([...left, ids[0]])]
        await held.hold(ids[0], kind.wanted(0))
        await isConnected(0, 1)
      })
      expect(seen).toMatchObject({ least: 0, most: 1 })
      process.stdout.write(
        `${scheme}: ${accepted} of ${CLIENTS * REQUESTS_EACH} changes accepted, ${seen.looks} looks\n`,
      )
      await held.release(...left)
      await isConnected(0, 0)
    }, 300_000)

    it('is managed at once while its target is down, and connects one step of the backoff after the repair', async () => {
      await kind.breakDown()
      const askedMs = performance.now()
      const { status, tookMs } = await held.put('down', kind.wanted(1))
      expect(status).toBe(202)
      expect(tookMs).toBeLessThan(promisedMs(1_000))
      const row = await held.shows('down', { provisioningStatus: 'ACTIVE', operatingStatus: 'DOWN', connected: false })
      expect(row.lastError).toMatchObject({ type: expect.any(String), message: expect.any(String) })
      const failingMs = performance.now() - askedMs
      await kind.repair()
      // pauses double: the one under way is no longer than all that went before it
      await held.up('down', promisedMs(failingMs) + CONNECT_MS)
      await held.release('down')
    }, 180_000)

    it('is back within two probe intervals when it is taken away behind the agent’s back', async () => {
      await held.hold('taken', kind.wanted(1))
      const { least } = await connectedTimes(1, async () => {
        await kind.takeAway(host, 1)
        const takenMs = performance.now()
        await isConnected(1, 1, promisedMs(2 * PROBE_INTERVAL_MS))
        process.stdout.write(`${scheme}: back after ${((performance.now() - takenMs) / 1_000).toFixed(1)} s\n`)
      })
      expect(least).toBe(0)
      await held.up('taken')
      await held.release('taken')
    }, 120_000)

    it('stays connected over kill -9 of the agent, with the same ids', async () => {
      await held.hold('kept-one', kind.wanted(1))
      await held.hold('kept-two', kind.wanted(1))
      const seen = await connectedTimes(1, async () => {
        await host.killAgent()
        await plane.hostAway('h1')
        await host.startAgent()
        await plane.hostUp('h1', START_MS)
        await Promise.all(['kept-one', 'kept-two'].map((id) => held.up(id)))
      })
      expect(seen).toMatchObject({ least: 1, most: 1 })
      await held.release('kept-one', 'kept-two')
    }, 240_000)

    it('is left alone after the last id where it was connected before the first', async () => {
      await kind.connectByHand(host, 2)
      const seen = await connectedTimes(2, async () => {
        await held.hold('there-before', kind.wanted(2))
        await held.release('there-before')
      })
      expect(seen).toMatchObject({ least: 1, most: 1 })
      await kind.disconnectByHand(host, 2)
    }, 120_000)

    it(
      'leaves nothing behind after many connections',
      async () => {
        const before = await host.agentUses()
        const cycles = async (target: number, count: number) => {
          for (let n = 0; n < count; n += 1) {
            await held.hold(`cycle-${target}`, kind.wanted(target))
            await held.release(`cycle-${target}`)
          }
        }
        const share = Math.ceil(CYCLES / TARGETS)
        await Promise.all(Array.from({ length: TARGETS }, (_, target) => cycles(target, share)))
        await eventually(async () => expect((await host.run(['sh', '-c', kind.leftovers])).stdout).toBe(''), {
          timeoutMs: 20_000,
          intervalMs: 500,
        })
        await eventually(async () => expect(await host.agentUses()).toEqual(before), {
          timeoutMs: 20_000,
          intervalMs: 500,
        })
      },
      scaled(600_000, 300_000),
    )
  })
})
