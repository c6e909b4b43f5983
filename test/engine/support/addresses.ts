import { randomUUID } from 'node:crypto'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../../src/engine/data-source.js'
import {
  type AddressClaim,
  type Holder,
  NetworkAddresses,
} from '../../../src/engine/networks/network-addresses.service.js'
import { Database, type Tx } from '../../../src/engine/platform/database.js'
import type { NetworkIntent } from '../../../src/wire/networks.js'
import type { TestEngine } from '../../support/engine.js'
import { eventually } from '../../support/eventually.js'

const DEFAULT_PROJECT = '00000000-0000-4000-8000-00000000d0d0'

type Asked = Pick<AddressClaim, 'networkId'> & Partial<AddressClaim>

export interface Claimed {
  readonly address: string
  readonly holder: Holder
  readonly intent: NetworkIntent
}

/** Claims addresses as modules to the right do, in transactions of their own on the engine's database. */
export interface AddressDesk {
  claim(asked: Asked): Promise<Claimed>
  /** The transaction stays open until it is kept or undone. */
  claimAndHold(asked: Asked): Promise<Claimed & { keep(): Promise<void>; undo(): Promise<void> }>
  release(holder: Holder): Promise<void>
  /** How many rows of addresses a claim looks at. */
  rowsReadBy(asked: Asked): Promise<number>
  /** Until a transaction waits for a lock of another. */
  untilSomebodyWaits(): Promise<void>
  close(): Promise<void>
}

export async function openAddressDesk(engine: TestEngine): Promise<AddressDesk> {
  const source = await new DataSource(dataSourceOptions(engine.databaseUrl, { poolSize: 20 })).initialize()
  const database = new Database(source)
  const addresses = new NetworkAddresses()

  const claimed = async (tx: Tx, asked: Asked): Promise<Claimed> => {
    const holder = asked.holder ?? { noun: 'load-balancer', id: randomUUID() }
    const { address, network } = await addresses.claim(tx, { projectId: DEFAULT_PROJECT, ...asked, holder })
    return { address, holder, intent: addresses.intentOf(network) }
  }

  return {
    claim: (asked) => database.transaction((tx) => claimed(tx, asked)),
    claimAndHold: (asked) =>
      new Promise((resolve, reject) => {
        let end!: (how: 'kept' | 'undone') => void
        const told = new Promise<'kept' | 'undone'>((resolveTold) => {
          end = resolveTold
        })
        const whole = database.transaction(async (tx) => {
          const made = await claimed(tx, asked)
          const finish = (how: 'kept' | 'undone') => async () => {
            end(how)
            await whole.catch(() => undefined)
          }
          resolve({ ...made, keep: finish('kept'), undo: finish('undone') })
          if ((await told) === 'undone') throw new Error('undone')
        })
        whole.catch(reject)
      }),
    release: (holder) => database.transaction((tx) => addresses.release(tx, holder)),
    rowsReadBy: (asked) =>
      database.transaction(async (tx) => {
        const before = await rowsRead(tx)
        await claimed(tx, asked)
        return (await rowsRead(tx)) - before
      }),
    untilSomebodyWaits: () =>
      eventually(async () => {
        const rows = await engine.query('SELECT FROM pg_locks WHERE NOT granted')
        expect(rows.length).toBeGreaterThan(0)
      }),
    close: () => source.destroy(),
  }
}

async function rowsRead(tx: Tx): Promise<number> {
  const [row] = await tx.query(
    `SELECT (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS read
     FROM pg_stat_xact_user_tables WHERE relname = 'network_addresses'`,
  )
  return row.read
}
