import type { DataSource, EntityManager } from 'typeorm'
import { ExitError, exitCodes } from '../../config/exit.js'
import { type SealedColumn, sealedColumns, sealedPlace } from './sealed-columns.js'
import { SealBroken, type Sealer } from './sealing.js'

export interface SealedCount {
  readonly table: string
  readonly column: string
  /** Null: it is no sealed text. */
  readonly keyId: string | null
  readonly count: number
}

export interface Resealed {
  readonly resealed: number
  /** Places whose secret no key at hand opens: they are as they were. */
  readonly broken: readonly string[]
  /** Keys of the database or at hand that nothing is sealed with any more; their check values are gone. */
  readonly unneeded: readonly string[]
}

export interface ResealOptions {
  readonly columns?: readonly SealedColumn[]
  readonly batch?: number
}

const BATCH = 200
/** One number for all Keelson processes on one database. */
const RESEAL_LOCK = 0x6b65736c

/** How many values each key seals, column by column. */
export async function countSealed(
  tx: Pick<EntityManager, 'query'>,
  columns: readonly SealedColumn[] = sealedColumns,
): Promise<SealedCount[]> {
  const counts: SealedCount[] = []
  for (const { table, column } of columns) {
    const rows: { keyId: string | null; count: number }[] = await tx.query(
      `SELECT substring(${column} FROM '^sealed:1:([0-9a-f]{16}):') AS "keyId", count(*)::int AS count
       FROM ${table} WHERE ${column} IS NOT NULL GROUP BY 1 ORDER BY 1`,
    )
    counts.push(...rows.map((row) => ({ table, column, ...row })))
  }
  return counts
}

/**
 * Seals with the current key whatever another has sealed, a batch in each transaction: it may be stopped and run again,
 * while engines that have both keys go on. At its end it forgets the keys that nothing needs.
 * @throws ExitError when another process is at it
 */
export async function resealAll(
  dataSource: DataSource,
  sealer: Sealer,
  { columns = sealedColumns, batch = BATCH }: ResealOptions = {},
): Promise<Resealed> {
  const runner = dataSource.createQueryRunner()
  try {
    const [row] = await runner.query('SELECT pg_try_advisory_lock($1) AS mine', [RESEAL_LOCK])
    if (!row.mine) throw new ExitError(exitCodes.temporary, 'another process is sealing this database anew')
    try {
      const broken: string[] = []
      let resealed = 0
      for (const column of columns) resealed += await resealColumn(dataSource, sealer, column, batch, broken)
      return { resealed, broken, unneeded: await forgetUnneeded(dataSource, sealer, columns) }
    } finally {
      await runner.query('SELECT pg_advisory_unlock($1)', [RESEAL_LOCK])
    }
  } finally {
    await runner.release()
  }
}

async function resealColumn(
  dataSource: DataSource,
  sealer: Sealer,
  column: SealedColumn,
  batch: number,
  broken: string[],
): Promise<number> {
  let resealed = 0
  let after: readonly string[] | null = null
  for (;;) {
    const done: Batch = await dataSource.transaction((tx) => resealBatch(tx, sealer, column, batch, after))
    broken.push(...done.broken)
    resealed += done.resealed
    after = done.last
    if (after === null) return resealed
  }
}

interface Batch {
  readonly resealed: number
  readonly broken: readonly string[]
  /** The id of the last row that was looked at; null at the end. */
  readonly last: readonly string[] | null
}

interface SealedRow {
  readonly id: readonly string[]
  readonly sealed: string
}

async function resealBatch(
  tx: EntityManager,
  sealer: Sealer,
  where: SealedColumn,
  batch: number,
  after: readonly string[] | null,
): Promise<Batch> {
  const { table, column } = where
  const id = `ARRAY[${where.id.map((name) => `${name}::text`).join(', ')}]`
  // locked: whoever changes the secret meanwhile waits for the end of the batch
  const rows: SealedRow[] = await tx.query(
    `SELECT ${id} AS id, ${column} AS sealed FROM ${table}
     WHERE ${column} IS NOT NULL AND ${column} NOT LIKE $1 AND ($2::text[] IS NULL OR ${id} > $2)
     ORDER BY 1 LIMIT $3 FOR UPDATE`,
    [`sealed:1:${sealer.current.id}:%`, after, batch],
  )
  // column by column, as the index of the id has them: the table may be long, and the sealed rows few
  const found = where.id.map((name, index) => `${name}::text = $${index + 2}`).join(' AND ')
  const update = `UPDATE ${table} SET ${column} = $1 WHERE ${found}`
  const broken: string[] = []
  for (const row of rows) {
    const place = sealedPlace(where, row.id)
    const secret = openOrNull(sealer, row.sealed, place)
    if (secret === null) broken.push(place)
    else await tx.query(update, [sealer.seal(secret, place), ...row.id])
  }
  const last = rows.length === batch ? (rows.at(-1)?.id ?? null) : null
  return { resealed: rows.length - broken.length, broken, last }
}

function openOrNull(sealer: Sealer, sealed: string, place: string): Buffer | null {
  try {
    return sealer.open(sealed, place)
  } catch (error) {
    if (error instanceof SealBroken) return null
    throw error
  }
}

async function forgetUnneeded(
  dataSource: DataSource,
  sealer: Sealer,
  columns: readonly SealedColumn[],
): Promise<string[]> {
  return dataSource.transaction(async (tx) => {
    // no replica takes a key into use meanwhile
    await tx.query('LOCK TABLE sealing_checks IN SHARE ROW EXCLUSIVE MODE')
    const needed = (await countSealed(tx, columns)).map(({ keyId }) => keyId)
    const [rows]: [{ key_id: string }[], number] = await tx.query(
      'DELETE FROM sealing_checks WHERE NOT (key_id = ANY($1)) RETURNING key_id',
      [[...needed.filter((keyId) => keyId !== null), sealer.current.id]],
    )
    const older = sealer.keyIds.filter((id) => id !== sealer.current.id && !needed.includes(id))
    return [...new Set([...rows.map((row) => row.key_id), ...older])].sort()
  })
}
