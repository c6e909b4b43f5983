import { prepared, type Tx } from '../platform/database.js'
import type { Network } from './network.entity.js'
import type { Addressing } from './network-plan.js'

const COLUMNS: Readonly<Record<keyof Network, string>> = {
  id: 'id',
  projectId: 'project_id',
  name: 'name',
  description: 'description',
  cidr: 'cidr',
  gateway: 'gateway',
  ranges: 'ranges',
  size: 'size',
  bridge: 'bridge',
  createBridge: 'create_bridge',
  uplink: 'uplink',
  vlan: 'vlan',
  hostIsGateway: 'host_is_gateway',
  generation: 'generation',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
}

/** Under the names of the entity, of the table that goes by `n`. */
const NETWORK = Object.entries(COLUMNS)
  .map(([property, column]) => `n.${column} AS "${property}"`)
  .join(', ')

export interface NewClaim {
  readonly networkId: string
  /** Whose networks it may take from, beside everybody's. */
  readonly projectId: string
  readonly noun: string
  readonly id: string
}

export interface Attempt {
  /** Null: there is none that the project may use. */
  readonly network: Network | null
  readonly address: string | null
}

const attempted = ([row]: (Network & { claimed: string | null })[]): Attempt => {
  if (!row) return { network: null, address: null }
  const { claimed, ...network } = row
  return { network, address: claimed }
}

const valuesOf = ({ networkId, projectId, noun, id }: NewClaim) => [networkId, projectId, noun, id]

const visible = `SELECT n.* FROM networks n WHERE n.id = $1 AND (n.project_id IS NULL OR n.project_id = $2)`
const held = 'holder_noun = $3, holder_id = $4, project_id = $2, since = now()'

/** @param meeting what it does with a free address that another transaction is about to take */
const takeLowest = (meeting: 'SKIP LOCKED' | ''): string => `
  WITH network AS MATERIALIZED (${visible}), free AS MATERIALIZED (
    SELECT network_id, address FROM network_addresses
    WHERE network_id = $1 AND holder_id IS NULL AND EXISTS (SELECT FROM network)
    ORDER BY network_id, address + 0 LIMIT 1 FOR UPDATE ${meeting}
  ), claimed AS (
    UPDATE network_addresses a SET ${held} FROM free
    WHERE a.network_id = free.network_id AND a.address = free.address RETURNING a.address
  )
  SELECT ${NETWORK}, c.address AS claimed FROM network n LEFT JOIN claimed c ON true`

/**
 * The lowest free address that nobody else is about to take: claims do not wait for each other. None: it is full, or what is
 * left is being taken, or the network is changing. Plan: the first of `ix_network_addresses_free`.
 */
export const tryLowest = async (tx: Tx, claim: NewClaim): Promise<Attempt> =>
  attempted(await prepared(tx, 'networks_try_lowest', takeLowest('SKIP LOCKED'), valuesOf(claim)))

/** As `tryLowest`; waits for what others are about to take, and for what a change of the network leaves. */
export async function waitForLowest(tx: Tx, claim: NewClaim): Promise<Attempt> {
  const network = await shareNetwork(tx, claim)
  if (!network) return { network, address: null }
  return attempted(await prepared(tx, 'networks_wait_for_lowest', takeLowest(''), valuesOf(claim)))
}

/** The network as it stays until the transaction ends. Null: none that the project may use. */
export async function shareNetwork(tx: Tx, { networkId, projectId }: NewClaim): Promise<Network | null> {
  const text = `SELECT ${NETWORK} FROM (${visible} FOR SHARE) n`
  const [network] = await prepared<Network>(tx, 'networks_share', text, [networkId, projectId])
  return network ?? null
}

/** One address, of the ranges or not. False: somebody has it. */
export async function tryAddress(tx: Tx, claim: NewClaim, address: string): Promise<boolean> {
  const rows = await prepared(
    tx,
    'networks_try_address',
    `INSERT INTO network_addresses AS a (network_id, project_id, holder_noun, holder_id, address, since, pooled)
     VALUES ($1, $2, $3, $4, $5, now(), false)
     ON CONFLICT (network_id, address) DO UPDATE SET ${held} WHERE a.holder_id IS NULL
     RETURNING a.address`,
    [...valuesOf(claim), address],
  )
  return rows.length > 0
}

/** All that the holder has. Plan: `ix_network_addresses_holder`. */
export async function freeAddresses(tx: Tx, { noun, id }: Pick<NewClaim, 'noun' | 'id'>): Promise<void> {
  await prepared(
    tx,
    'networks_free',
    // as they are under their locks: the ranges may be changed at this moment
    `WITH held AS MATERIALIZED (
       SELECT network_id, address, pooled FROM network_addresses WHERE holder_id = $2 AND holder_noun = $1
       ORDER BY network_id, address FOR UPDATE
     ), gone AS (
       DELETE FROM network_addresses a USING held h
       WHERE NOT h.pooled AND a.network_id = h.network_id AND a.address = h.address
     )
     UPDATE network_addresses a SET holder_noun = NULL, holder_id = NULL, project_id = NULL, since = NULL
     FROM held h WHERE h.pooled AND a.network_id = h.network_id AND a.address = h.address`,
    [noun, id],
  )
}

/** Those that are had stay; of them, those beyond the ranges are had for as long as they are held. */
export async function writePool(tx: Tx, id: string, { ranges, kept }: Addressing): Promise<void> {
  await tx.query('UPDATE network_addresses SET pooled = false WHERE network_id = $1', [id])
  for (const { from, to } of ranges) {
    await tx.query(
      `INSERT INTO network_addresses (network_id, address)
       SELECT $1, $2::inet + n FROM generate_series(0::bigint, $3::inet - $2::inet) AS n
       WHERE $2::inet + n <> ALL ($4::inet[])
       ON CONFLICT (network_id, address) DO UPDATE SET pooled = true`,
      [id, from, to, kept],
    )
  }
}

/** Waits for claims that are under way; those that succeed keep theirs. */
export async function removeFree(tx: Tx, id: string): Promise<void> {
  await tx.query('DELETE FROM network_addresses WHERE network_id = $1 AND holder_id IS NULL', [id])
}

export interface Holding {
  readonly address: string
  readonly noun: string
  readonly id: string
}

export const holdingsOf = async (tx: Tx, id: string, limit: number): Promise<Holding[]> =>
  tx.query(
    `SELECT host(address) AS address, holder_noun AS noun, holder_id AS id FROM network_addresses
     WHERE network_id = $1 AND holder_id IS NOT NULL ORDER BY address LIMIT $2`,
    [id, limit],
  )

/** How many addresses of their ranges are had, by network. Plan: `ix_network_addresses_held`, as only those are counted. */
export async function countHeld(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
  if (ids.length === 0) return new Map()
  const rows: { id: string; held: number }[] = await tx.query(
    `SELECT network_id AS id, count(*)::int AS held FROM network_addresses
     WHERE network_id = ANY ($1::uuid[]) AND pooled AND holder_id IS NOT NULL GROUP BY network_id`,
    [ids],
  )
  return new Map(rows.map(({ id, held }) => [id, held]))
}

export interface Neighbour {
  readonly name: string
  readonly why: 'overlaps' | 'differs' | 'uplink'
}

/** A network that this one cannot stand beside. The caller lets no other be made meanwhile. */
export async function findNeighbour(
  tx: Tx,
  { cidr, bridge, createBridge, uplink, vlan }: Omit<Network, 'id' | 'createdAt' | 'updatedAt' | 'generation'>,
): Promise<Neighbour | null> {
  const [found]: Neighbour[] = await tx.query(
    `SELECT name, CASE WHEN is_over THEN 'overlaps' WHEN is_other THEN 'differs' ELSE 'uplink' END AS why
     FROM networks CROSS JOIN LATERAL (SELECT
       bridge IS NOT DISTINCT FROM $2 AND cidr && $1::cidr AS is_over,
       bridge = $2 AND (create_bridge, uplink, vlan) IS DISTINCT FROM ($3::boolean, $4::text, $5::int) AS is_other,
       bridge <> $2 AND uplink = $4 AND vlan IS NOT DISTINCT FROM $5 AS is_elsewhere) AS they
     WHERE is_over OR is_other OR is_elsewhere
     ORDER BY is_over DESC NULLS LAST, is_other DESC NULLS LAST, name LIMIT 1`,
    [cidr, bridge, createBridge, uplink, vlan],
  )
  return found ?? null
}
