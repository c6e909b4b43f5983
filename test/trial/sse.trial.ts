import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'
import { withClient } from './support/ends-audit.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { OutsidePostgres } from './support/outside-postgres.js'
import { Plane } from './support/plane.js'
import type { Body } from './support/rest.js'
import { Chance, scaled } from './support/scale.js'

const CHANGES = scaled(2_500, 700)
const WRITERS = 8
const READERS = scaled(8, 3)
const RESTARTS = scaled(4, 2)
const LONGEST_TRANSACTION_MS = 400
const chance = new Chance('sse')
const figures = new Figures('Live events, dropped and resumed')
const ground = new Ground()
let postgres: OutsidePostgres
let plane: Plane
let hosts: Body[]
let readers: DroppedReader[]
let truth: { id: string; xid: string; n: string }[]
let writing = true
let written = 0

/** Drops its connection after a few messages, and resumes with the last id that it has seen. */
class DroppedReader {
  readonly ids: string[] = []
  readonly resets: unknown[] = []
  connections = 0
  private stopped = false
  private readonly done: Promise<void>

  constructor(from: string) {
    this.ids.push(from)
    this.done = this.read()
  }

  async stop(): Promise<void> {
    this.stopped = true
    await this.done
  }

  private async read(): Promise<void> {
    while (!this.stopped) {
      const reader = await SseReader.open(`${plane.rest.baseUrl}/api/v1/events/stream`, {
        token: plane.rest.token,
        lastEventId: this.ids.at(-1),
      }).catch(() => null)
      if (reader?.response.ok) await this.follow(reader)
      else await pause(50)
    }
  }

  private async follow(reader: SseReader): Promise<void> {
    this.connections += 1
    const enough = chance.between(1, 60)
    let taken = 0
    while (taken < enough && !reader.closed && !this.stopped) {
      await pause(5)
      // what came after the drop is forgotten with the connection
      for (const { event, id, data } of reader.messages.slice(taken, enough)) {
        taken += 1
        if (event === 'reset') this.resets.push(data)
        this.ids.push(id)
      }
    }
    reader.close()
  }
}

beforeAll(async () => {
  postgres = await OutsidePostgres.create(ground, 'postgres')
  plane = await Plane.start(ground, { databaseUrl: postgres.url })
  hosts = []
  for (let n = 0; n < WRITERS / 2; n += 1)
    hosts.push((await plane.rest.send('POST', '/api/v1/hosts', { name: `h${n}` })).body)
  const from = (await plane.rest.all('/api/v1/events')).at(-1).id
  readers = Array.from({ length: READERS }, () => new DroppedReader(from))
  const writers = [...hosts.map(writeOverRest), ...hosts.map(writeOutOfOrder)]
  for (let n = 1; n <= RESTARTS; n += 1) {
    await eventually(() => expect(written).toBeGreaterThan((n * CHANGES) / (RESTARTS + 1)), { timeoutMs: 300_000 })
    await (n % 2 === 0 ? plane.stop() : plane.kill())
    await plane.start()
  }
  await eventually(() => expect(written).toBeGreaterThanOrEqual(CHANGES), { timeoutMs: 300_000 })
  writing = false
  await Promise.all(writers)
  truth = await inOrder(from)
  await eventually(() => expect(readers.map(({ ids }) => ids.at(-1))).toEqual(readers.map(() => truth.at(-1)?.id)), {
    timeoutMs: 60_000,
    intervalMs: 200,
  })
  await Promise.all(readers.map((reader) => reader.stop()))
})

afterAll(async () => {
  writing = false
  await Promise.all((readers ?? []).map((reader) => reader.stop()))
  figures.add('events', truth?.length ?? 0)
  figures.add('that committed out of order of their ids', outOfOrder())
  figures.add('readers', READERS)
  figures.add(
    'connections that they made',
    (readers ?? []).reduce((sum, reader) => sum + reader.connections, 0),
  )
  figures.add('engine killed or restarted', `${RESTARTS} times`)
  figures.print()
  await plane?.stop()
  await postgres?.stop()
  ground.clear()
})

async function writeOverRest({ id }: Body): Promise<void> {
  while (writing) {
    const labels = { n: String(chance.between(0, 1_000_000)) }
    const { status } = await plane.rest.send('PATCH', `/api/v1/hosts/${id}`, { labels })
    if (status === 200) written += 1
    await pause(chance.between(0, 40))
  }
}

/** Some events in a transaction that stays open for a while: ids in order, commits not. */
async function writeOutOfOrder({ id }: Body): Promise<void> {
  await withClient(postgres.url, async (client) => {
    while (writing) {
      await client.query('BEGIN')
      for (let n = chance.between(1, 3); n > 0; n -= 1) {
        await client.query(
          `INSERT INTO events (incarnation, type, subject, host_id) SELECT max(number), 'hosts.host.updated', 'host/' || $1, $1::uuid FROM incarnations`,
          [id],
        )
        written += 1
        await pause(chance.between(0, LONGEST_TRANSACTION_MS / 3))
      }
      await client.query(chance.next() < 0.1 ? 'ROLLBACK' : 'COMMIT')
    }
  })
}

/** What there is after the cursor, by the order that the plane promises. */
async function inOrder(from: string): Promise<{ id: string; xid: string; n: string }[]> {
  const rows = await withClient(postgres.url, async (client) => {
    const { rows } =
      await client.query(`SELECT e.incarnation || '-' || left(i.id::text, 8) || '.' || e.xid || '.' || e.id AS id, e.xid, e.id AS n
      FROM events e JOIN incarnations i ON i.number = e.incarnation ORDER BY e.incarnation, e.xid, e.id`)
    return rows as { id: string; xid: string; n: string }[]
  })
  return rows.slice(rows.findIndex(({ id }) => id === from))
}

function outOfOrder(): number {
  return (truth ?? []).filter(({ n }, index) => Number(n) < Number(truth[index - 1]?.n ?? 0)).length
}

it('have no gap and no repetition, in one order, for every reader', () => {
  const expected = truth.map(({ id }) => id)
  for (const { ids } of readers) {
    expect(new Set(ids).size).toBe(ids.length)
    expect(expected.filter((id) => !ids.includes(id))).toEqual([])
    expect(ids).toEqual(expected)
  }
})

it('never told a reader that its place was lost', () => {
  expect(readers.flatMap(({ resets }) => resets)).toEqual([])
})

it('were really written out of order', () => {
  expect(outOfOrder()).toBeGreaterThan(10)
})
