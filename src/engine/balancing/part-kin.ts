import { prepared, type Tx } from '../platform/database.js'
import type { Above } from './balancing-part.dto.js'
import type { L7PolicyKin } from './l7-policy.dto.js'
import type { ListenerKin } from './listener.dto.js'
import { type PartNoun, partTables } from './part-tables.js'
import type { PoolKin } from './pool.dto.js'
import type { Tree } from './tree.js'

/** What each part shows of others. */
export interface KinOf {
  readonly listeners: ListenerKin
  readonly pools: PoolKin
  readonly members: null
  readonly healthMonitors: null
  readonly l7Policies: L7PolicyKin
  readonly l7Rules: null
}

/** The ids of rows of a table that a condition ties to `p`, of the same balancer: that is what is indexed. */
const ids = (table: string, condition: string, order = 'x.created_at, x.id'): string =>
  `ARRAY(SELECT x.id FROM ${table} x WHERE x.load_balancer_id = p.load_balancer_id AND ${condition} ORDER BY ${order})`

const kinSql: Readonly<Record<PartNoun, string>> = {
  listeners: `jsonb_build_object('l7PolicyIds', ${ids('l7_policies', 'x.listener_id = p.id', 'x.position')})`,
  pools: `jsonb_build_object(
    'listenerIds', ${ids('listeners', 'x.default_pool_id = p.id')},
    'memberIds', ${ids('members', 'x.pool_id = p.id')},
    'healthMonitorId', (SELECT x.id FROM health_monitors x WHERE x.pool_id = p.id))`,
  members: 'NULL::jsonb',
  healthMonitors: 'NULL::jsonb',
  l7Policies: `jsonb_build_object('ruleIds', ${ids('l7_rules', 'x.l7_policy_id = p.id')})`,
  l7Rules: 'NULL::jsonb',
}

export interface Shows<N extends PartNoun> {
  readonly above: Above
  readonly kin: KinOf[N]
}

interface KinRow<N extends PartNoun> extends Above {
  readonly id: string
  readonly kin: KinOf[N]
}

/** By id, of rows that are on a page. Plan: index lookups for each, one by one (docs/adr/0041). */
export async function readShows<N extends PartNoun>(
  tx: Tx,
  noun: N,
  partIds: readonly string[],
): Promise<Map<string, Shows<N>>> {
  const { table } = partTables[noun]
  const rows = await prepared<KinRow<N>>(
    tx,
    `balancing_shows_${table}`,
    `SELECT p.id, b.generation, b.provisioning_status AS "provisioningStatus", b.command_id AS "commandId", b.fault,
       ${kinSql[noun]} AS kin
     FROM unnest($1::uuid[]) AS asked (id)
     CROSS JOIN LATERAL (SELECT * FROM ${table} t WHERE t.id = asked.id OFFSET 0) p
     CROSS JOIN LATERAL (SELECT * FROM load_balancers l WHERE l.id = p.load_balancer_id OFFSET 0) b`,
    [partIds],
  )
  return new Map(rows.map(({ id, kin, ...above }) => [id, { above, kin }]))
}

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id)

/** The same, of a tree. */
export const kinIn: { readonly [N in PartNoun]: (tree: Tree, id: string) => KinOf[N] } = {
  listeners: ({ l7Policies }, id) => ({
    l7PolicyIds: idsOf(l7Policies.filter((one) => one.listenerId === id).sort((a, b) => a.position - b.position)),
  }),
  pools: ({ listeners, members, healthMonitors }, id) => ({
    listenerIds: idsOf(listeners.filter(({ defaultPoolId }) => defaultPoolId === id)),
    memberIds: idsOf(members.filter(({ poolId }) => poolId === id)),
    healthMonitorId: healthMonitors.find(({ poolId }) => poolId === id)?.id ?? null,
  }),
  members: () => null,
  healthMonitors: () => null,
  l7Policies: ({ l7Rules }, id) => ({ ruleIds: idsOf(l7Rules.filter(({ l7PolicyId }) => l7PolicyId === id)) }),
  l7Rules: () => null,
}
