import { Injectable } from '@nestjs/common'
import { prepared, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { type Limits, type QuotaResource, quotaResources } from './quota-resources.js'

/** How much of a resource a project has, what is being deleted among it: it is given back when its host has confirmed. */
type Counter = (tx: Tx, projectId: string) => Promise<number>

export type Usage = Readonly<Record<QuotaResource, number>>

/**
 * What a project may have, claimed in the transaction that makes the thing (docs/adr/0024). Modules to the right register
 * how their things are counted.
 */
@Injectable()
export class Quotas {
  private readonly counters = new Map<QuotaResource, Counter>()

  register(resource: QuotaResource, counter: Counter): void {
    if (this.counters.has(resource)) throw new Error(`${resource} are counted twice`)
    this.counters.set(resource, counter)
  }

  /**
   * Call it once for all that a transaction makes, before it makes any of it. What has no limit costs one statement, and
   * no lock but that of the foreign key to the project.
   * @throws Conflict `quota-exceeded`; NotFound when there is no such project
   */
  async claim(tx: Tx, projectId: string, asked: Limits): Promise<void> {
    const wanted = quotaResources.filter((resource) => (asked[resource] ?? 0) > 0)
    if (await isUnlimited(tx, projectId, wanted)) return
    const limits = await lockLimits(tx, projectId)
    for (const resource of wanted) {
      const limit = limits[resource]
      if (limit === undefined) continue
      const used = await this.used(tx, projectId, resource)
      const more = asked[resource] ?? 0
      if (used + more > limit) throw exceeded(resource, { limit, used, asked: more })
    }
  }

  async usage(tx: Tx, projectId: string): Promise<Usage> {
    const counts: [QuotaResource, number][] = []
    for (const resource of quotaResources) counts.push([resource, await this.used(tx, projectId, resource)])
    return Object.fromEntries(counts) as Usage // every resource is in the table
  }

  private async used(tx: Tx, projectId: string, resource: QuotaResource): Promise<number> {
    return (await this.counters.get(resource)?.(tx, projectId)) ?? 0
  }
}

/**
 * The project's row, if none of these resources has a limit there: a part of the statement that makes a thing, which is then
 * not made otherwise. It takes the lock that the foreign key takes; a limit that was set meanwhile is seen, as the lock is of
 * the newest version.
 */
export const unlimitedProject = (projectId: string, resources: string): string =>
  `SELECT id FROM projects WHERE id = ${projectId} AND NOT limits ?| ${resources} FOR KEY SHARE`

async function isUnlimited(tx: Tx, projectId: string, resources: readonly QuotaResource[]): Promise<boolean> {
  const rows = await prepared(tx, 'quota_unlimited', unlimitedProject('$1', '$2::text[]'), [projectId, resources])
  return rows.length > 0
}

interface LockedLimits {
  limits: Limits
  settled: boolean
}

/**
 * Claims of one project pass one by one. The first after a change of the limits waits, by the stronger lock, for whatever was
 * begun when there was none yet: it is not counted before it has committed.
 */
async function lockLimits(tx: Tx, projectId: string): Promise<Limits> {
  const read = 'SELECT limits, limits_settled AS settled FROM projects WHERE id = $1'
  const lock = async (name: string, mode: string): Promise<LockedLimits> => {
    const [row] = await prepared<LockedLimits>(tx, name, `${read} ${mode}`, [projectId])
    if (!row) throw new NotFound(`project ${projectId}`)
    return row
  }
  const { limits, settled } = await lock('quota_lock', 'FOR NO KEY UPDATE')
  if (settled) return limits
  await lock('quota_lock_unsettled', 'FOR UPDATE')
  await prepared(tx, 'quota_settle', 'UPDATE projects SET limits_settled = true WHERE id = $1', [projectId])
  return limits
}

function exceeded(resource: QuotaResource, { limit, used, asked }: Record<'limit' | 'used' | 'asked', number>) {
  const message = `the project may have ${limit} ${resource}, has ${used}, and ${asked} more were asked for`
  return new Conflict(message, 'quota-exceeded', { resource, limit, used, asked })
}
