import type { BenchDatabase } from '../database.js'
import type { BenchEngine } from '../engine.js'
import type { BenchSetting, Figure } from '../figures.js'
import { median, percentile, spreadOf } from '../statistics.js'

const full = { rounds: 5, lists: 200 }
const smoke = { rounds: 1, lists: 10 }
const CLIENTS = 4
const [MANY_IDS, HOSTS, IDS_EACH] = [1_000, 100, 20]
/** The longest page that there is. */
const PAGE = 500

interface Page {
  readonly items: readonly unknown[]
  readonly next: string | null
}

/** Lists as a client reads them: of the host with a thousand ids all pages, one after the other; of the others their one. */
export async function measureLists(
  setting: BenchSetting,
  engine: BenchEngine,
  database: BenchDatabase,
): Promise<Figure[]> {
  const { rounds: count, lists } = setting.smoke ? smoke : full
  const hosts = await addConnections(database)
  const rounds: { many: number; few: number }[] = []
  for (let i = 0; i <= count; i++) {
    const many = await walked(engine, () => hosts[0] ?? '', lists)
    const few = await walked(engine, (n) => hosts[1 + (n % HOSTS)] ?? '', lists)
    // the first warms up
    if (i > 0) rounds.push({ many: percentile(many, 0.95), few: percentile(few, 0.95) })
  }
  const figure = (of: 'many' | 'few', name: string): Figure => ({
    bench: 'storage',
    name,
    value: median(rounds.map((r) => r[of])),
    unit: 'ms',
    spread: spreadOf(rounds.map((r) => r[of])),
    bound: { of: 'value', atMost: 100 },
    note: `a page of up to ${PAGE}, ${CLIENTS} clients at a time`,
  })
  return [
    figure('many', `page of the list of a host with ${MANY_IDS} ids, p95`),
    figure('few', `list of one of ${HOSTS} hosts with ${IDS_EACH} ids, p95`),
  ]
}

/** @returns milliseconds of each page */
async function walked(engine: BenchEngine, hostOf: (n: number) => string, lists: number): Promise<number[]> {
  const times: number[] = []
  let next = 0
  const client = async (): Promise<void> => {
    while (next < lists) {
      const path = `/hosts/${hostOf(next++)}/storage-connections?limit=${PAGE}`
      let cursor: string | null = null
      do {
        const startMs = performance.now()
        const page: Page = await engine.get<Page>(cursor ? `${path}&cursor=${encodeURIComponent(cursor)}` : path)
        times.push(performance.now() - startMs)
        cursor = page.next
      } while (cursor !== null)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return times
}

/** As they are once hosts have taken them on. @returns the hosts, the one with many ids first */
async function addConnections(database: BenchDatabase): Promise<string[]> {
  const hosts = await database.rows<{ id: string }>(
    `WITH h AS (INSERT INTO hosts (name) SELECT 'listed-' || n FROM generate_series(0, $1::int) n RETURNING id, name)
     SELECT id FROM h ORDER BY (name = 'listed-0') DESC`,
    [HOSTS],
  )
  const ids = hosts.map(({ id }) => id)
  await database.rows(
    `INSERT INTO storage_connections (host_id, connection_id, uri, target, provisioning_status, operating_status)
     SELECT h.id, 'FLOW' || (n % 7) || '_' || n, 'local:///srv/' || n, 'local:///srv/' || n, 'ACTIVE', 'UP'
     FROM unnest($1::uuid[]) WITH ORDINALITY AS h(id, place)
     CROSS JOIN LATERAL generate_series(1, CASE WHEN place = 1 THEN $2::int ELSE $3::int END) n`,
    [ids, MANY_IDS, IDS_EACH],
  )
  return ids
}
