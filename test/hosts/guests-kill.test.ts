import { setTimeout as pause } from 'node:timers/promises'
import { guestLayers } from '../../src/wire/guests/terms.js'
import { Figures, inMs } from '../trial/support/figures.js'
import type { Body } from '../trial/support/rest.js'
import { Chance, scaled, seed } from '../trial/support/scale.js'
import { guestPrograms } from './support/guest-bench.js'
import { GuestGround, guestsPath, sh } from './support/guest-ground.js'
import { describeWith } from './support/needs.js'

/** Provisions at once; each round of them sees two kills. */
const AT_ONCE = 5
const ROUNDS = scaled(10, 1)
/** By when the slowest of them is prepared, on two processors. */
const MOMENTS_MS = 15_000
const MARKER = 'prepared-once'

const chance = new Chance('guests')
const figures = new Figures(`kill -9 of the engine while guests are made (seed ${seed})`)
const ended = new Map<string, number>()
const tookMs: number[] = []

describeWith(guestPrograms, 'guests that are being made while the engine is killed', () => {
  let tried: GuestGround
  let imageId: string

  beforeAll(async () => {
    tried = await GuestGround.start()
    imageId = await tried.image()
  }, 240_000)
  afterAll(async () => {
    figures.add('guests', ROUNDS * AT_ONCE)
    figures.add('from the request to its end', inMs(tookMs))
    for (const [how, count] of ended) figures.add(`  ${how}`, count)
    figures.print()
    await tried?.end()
  }, 60_000)

  for (let round = 1; round <= ROUNDS; round += 1) {
    const moments = [chance.between(0, MOMENTS_MS), chance.between(0, MOMENTS_MS)].sort((a, b) => a - b)

    it(`are ACTIVE and prepared once, or in ERROR: after ${moments.join(' and ')} ms (${round})`, async () => {
      const askedMs = performance.now()
      // one whose engine was killed before it answered may be there
      const asked = Promise.all(Array.from({ length: AT_ONCE }, () => tried.request({ imageId, prepare: marking })))
      for (const moment of moments) {
        await pause(Math.max(0, askedMs + moment - performance.now()))
        await tried.plane.kill()
        await tried.plane.start()
      }
      await asked
      await tried.plane.hostUp('guests')
      const guests: Body[] = await tried.plane.rest.all(guestsPath)
      const judged = await Promise.all(
        guests.map(async ({ id }) => {
          const { provisioningStatus, fault } = await tried.ended(id)
          tookMs.push(performance.now() - askedMs)
          return { status: provisioningStatus, layer: fault?.type ?? null, times: tried.written(id, MARKER) }
        }),
      )
      for (const { status, layer } of judged) {
        const how = [status, layer].filter(Boolean).join(' ')
        ended.set(how, (ended.get(how) ?? 0) + 1)
      }
      expect(judged.filter(({ status, times }) => (status === 'ACTIVE' ? times !== 1 : times > 1))).toEqual([])
      expect(judged.filter(({ status, layer }) => status === 'ERROR' && !isLayer(layer))).toEqual([])
      await tried.removeAll()
      expect(await tried.leftovers()).toEqual([])
    }, 300_000)
  }
})

const isLayer = (type: string | null): boolean => (guestLayers as readonly (string | null)[]).includes(type)

const marking = sh(`echo ${MARKER} > /dev/console`, 'sleep 1')
