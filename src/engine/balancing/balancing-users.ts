import { Injectable } from '@nestjs/common'
import { type QuotaResource } from '../identity/quota-resources.js'
import { Quotas } from '../identity/quotas.js'
import type { Tx } from '../platform/database.js'
import { type User, UsersOf } from '../platform/users-of.js'
import { HOLDER_NOUN } from './load-balancer.entity.js'

const counted = {
  loadBalancers: 'load_balancers',
  listeners: 'listeners',
  members: 'members',
  pools: 'pools',
  healthMonitors: 'health_monitors',
  l7Policies: 'l7_policies',
  l7Rules: 'l7_rules',
} as const satisfies Partial<Record<QuotaResource, string>>

/** What is to leave it is still there. */
const ON_HOST = '(host_id = $1 OR moving_from_device_id IN (SELECT id FROM balancing_devices WHERE host_id = $1))'

/** Load balancers as users of hosts, networks and projects, and in quotas. */
@Injectable()
export class BalancingUsers {
  constructor(users: UsersOf, quotas: Quotas) {
    users.register('host', (tx, id) => usersBy(tx, ON_HOST, id))
    users.register('network', (tx, id) => usersBy(tx, 'network_id = $1', id))
    users.register('network', membersIn)
    users.register('project', (tx, id) => usersBy(tx, 'project_id = $1', id))
    // keys of the table above
    for (const [resource, table] of Object.entries(counted))
      quotas.register(resource as QuotaResource, async (tx, projectId) => {
        const [row] = await tx.query(`SELECT count(*)::int AS used FROM ${table} WHERE project_id = $1`, [projectId])
        return row.used
      })
  }
}

async function membersIn(tx: Tx, networkId: string): Promise<User[]> {
  const rows: { id: string; name: string }[] = await tx.query(
    `SELECT id, name FROM members WHERE network_id = $1 AND provisioning_status <> 'PENDING_DELETE' ORDER BY id LIMIT 1000`,
    [networkId],
  )
  return rows.map((row) => ({ noun: 'member', ...row }))
}

async function usersBy(tx: Tx, condition: string, id: string): Promise<User[]> {
  const rows: { id: string; name: string }[] = await tx.query(
    `SELECT id, name FROM load_balancers WHERE ${condition} ORDER BY created_at, id LIMIT 1000`,
    [id],
  )
  return rows.map((row) => ({ noun: HOLDER_NOUN, ...row }))
}
