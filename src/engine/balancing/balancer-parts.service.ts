import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { FindOptionsWhere, ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, prepared } from '../platform/database.js'
import { NotFound } from '../platform/errors.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { Balancers } from './balancers.service.js'
import type { PartQuery, ShownPart } from './balancing-part.dto.js'
import { type HowAsked, unlessGone } from './how-asked.js'
import { type KinOf, kinIn, readShows } from './part-kin.js'
import { nounOf, partListings, type RowOf } from './part-listings.js'
import { type PartNoun, partTables } from './part-tables.js'
import { withTags } from './tag-filters.js'
import type { Edit, Tree } from './tree.js'

export type Shown<N extends PartNoun> = ShownPart<RowOf<N>, KinOf[N]>

/** What says which balancer is meant: itself, or something under it. */
export interface Owner {
  readonly noun: 'loadBalancer' | PartNoun
  readonly id: string
}

/** What stands under load balancers, on the native face: read one by one, and changed with the balancer whole. */
@Injectable()
export class BalancerParts {
  constructor(
    private readonly database: Database,
    private readonly balancers: Balancers,
  ) {}

  /** @param above those under this alone, by its column */
  async list<N extends PartNoun>(
    caller: Caller,
    noun: N,
    query: PartQuery,
    above: Readonly<Record<string, string>> = {},
  ): Promise<Page<Shown<N>>> {
    const { manager } = this.database.dataSource
    // each noun's listing is of its own rows
    const { items, next } = await page<ObjectLiteral>(manager, partListings[noun], query, (rows) => {
      const parts = rows as SelectQueryBuilder<RowOf<PartNoun>>
      inProjectsOf<RowOf<PartNoun>>(caller)(parts)
      withTags(parts, query)
      for (const [column, id] of Object.entries(above)) parts.andWhere(`row.${column} = :above`, { above: id })
    })
    return { items: await this.shown(noun, items as RowOf<N>[]), next }
  }

  /** Those of a pool, or of a policy. @throws NotFound when there is no such one */
  async listUnder<N extends 'members' | 'l7Rules'>(
    caller: Caller,
    noun: N,
    owner: { readonly noun: PartNoun; readonly id: string },
    query: PartQuery,
  ): Promise<Page<Shown<N>>> {
    await this.balancerOf(caller, owner.noun, owner.id)
    return this.list(caller, noun, query, { [columnOf[noun]]: owner.id })
  }

  /** @throws NotFound also for another project's */
  async require<N extends PartNoun>(
    caller: Caller,
    noun: N,
    id: string,
    above: FindOptionsWhere<RowOf<N>> = {},
  ): Promise<Shown<N>> {
    const { manager } = this.database.dataSource
    const where = { ...above, id } as FindOptionsWhere<ObjectLiteral>
    const row = (await manager.findOneBy(partListings[noun].entity, where)) as RowOf<N> | null
    if (!row) throw notThere(noun, id)
    requireInProject(caller, row.projectId, 'viewer', `${nounOf[noun]} ${id}`)
    const [shown] = await this.shown(noun, [row])
    if (!shown) throw notThere(noun, id)
    return shown
  }

  async create<N extends PartNoun>(
    caller: Caller,
    noun: N,
    owner: Owner,
    edit: (id: string) => Edit,
    how: HowAsked,
  ): Promise<Shown<N>> {
    const id = randomUUID()
    return this.of(noun, id, await this.changed(caller, owner, edit(id), how))
  }

  async update<N extends PartNoun>(caller: Caller, noun: N, id: string, edit: Edit, how: HowAsked): Promise<Shown<N>> {
    return this.of(noun, id, await this.changed(caller, { noun, id }, edit, how))
  }

  /** It is shown on its way out, as it is gone when the device has taken the change; DELETED where the caller waits for that. */
  async delete<N extends PartNoun>(caller: Caller, noun: N, id: string, edit: Edit, how: HowAsked): Promise<Shown<N>> {
    const before = await this.require(caller, noun, id)
    const { loadBalancer } = await this.changed(caller, { noun, id }, edit, how)
    const left = how.waitMs === 0 ? undefined : await unlessGone(this.require(caller, noun, id))
    const provisioningStatus = left === null ? 'DELETED' : 'PENDING_DELETE'
    return left ?? { ...before, row: { ...before.row, provisioningStatus }, above: loadBalancer }
  }

  /** The tree as the change has left it; once it is in force, where the caller waits for that. */
  async changed(caller: Caller, owner: Owner, edit: Edit, how: HowAsked): Promise<Tree> {
    const balancerId = owner.noun === 'loadBalancer' ? owner.id : await this.balancerOf(caller, owner.noun, owner.id)
    const tree = await this.balancers.change(caller, balancerId, edit, how)
    if (how.waitMs === 0) return tree
    return this.balancers.settled(caller, balancerId, tree.loadBalancer.generation, how.waitMs)
  }

  private async balancerOf(caller: Caller, noun: PartNoun, id: string): Promise<string> {
    const { table } = partTables[noun]
    const sql = `SELECT load_balancer_id, project_id FROM ${table} WHERE id = $1`
    const [row] = await this.database.statement((tx) =>
      prepared<{ load_balancer_id: string; project_id: string }>(tx, `balancing_balancer_of_${table}`, sql, [id]),
    )
    if (!row) throw notThere(noun, id)
    requireInProject(caller, row.project_id, 'viewer', `${nounOf[noun]} ${id}`)
    return row.load_balancer_id
  }

  private of<N extends PartNoun>(noun: N, id: string, tree: Tree): Shown<N> {
    const rows: readonly RowOf<N>[] = tree[noun]
    const row = rows.find((one) => one.id === id)
    // somebody else has removed it while the caller waited
    if (!row) throw notThere(noun, id)
    return { row, above: tree.loadBalancer, kin: kinIn[noun](tree, id) }
  }

  private async shown<N extends PartNoun>(noun: N, rows: readonly RowOf<N>[]): Promise<Shown<N>[]> {
    if (rows.length === 0) return []
    const ids = rows.map(({ id }) => id)
    const shows = await this.database.statement((tx) => readShows(tx, noun, ids))
    // one that went between the two statements is not there any more
    return rows.flatMap((row) => {
      const found = shows.get(row.id)
      return found ? [{ row, ...found }] : []
    })
  }
}

const columnOf = { members: 'poolId', l7Rules: 'l7PolicyId' } as const

const notThere = (noun: PartNoun, id: string) => new NotFound(`${nounOf[noun]} ${id}`)
