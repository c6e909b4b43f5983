import { Injectable } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { Database } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'
import type { IfMatch } from '../platform/etag.js'
import { Balancers } from './balancers.service.js'
import { bounded } from './edits/bounds.js'
import { restore } from './restore.js'
import type { StoredTree, Tree } from './tree.js'
import { storedTree } from './tree-changes.js'

interface KeptGeneration {
  readonly generation: number
  readonly tree: StoredTree
}

/** The way back to what a balancer was asked to be before: a change like any other. */
@Injectable()
export class Rollbacks {
  constructor(
    private readonly database: Database,
    private readonly balancers: Balancers,
  ) {}

  /**
   * @param generation null: the last that its device had in force and that is another than what is asked now: a failover, a reset or a
   *   renewed certificate makes generations that are not
   * @throws Conflict `no-such-generation`
   */
  async rollback(caller: Caller, id: string, generation: number | null, ifMatch: IfMatch | null): Promise<Tree> {
    // nobody is told whether another project's balancer has generations
    const present = await this.balancers.require(caller, id)
    const kept = await this.find(id, generation, present)
    if (!kept) throw notKept(id, generation)
    return this.balancers.change(caller, id, bounded(restore(kept.tree)), { ifMatch, face: 'native' })
  }

  private async find(id: string, generation: number | null, present: Tree): Promise<KeptGeneration | null> {
    const [row] = await this.database.query<KeptGeneration>(
      'balancing_rollback',
      `SELECT generation, tree FROM load_balancer_generations
       WHERE load_balancer_id = $1 AND CASE WHEN $2::int IS NULL THEN good AND tree <> $3::jsonb ELSE generation = $2 END
       ORDER BY generation DESC LIMIT 1`,
      [id, generation, JSON.stringify(storedTree(present))],
    )
    return row ?? null
  }
}

const notKept = (id: string, generation: number | null): Conflict =>
  new Conflict(
    generation === null
      ? `load balancer ${id} was never in force as another than it is asked to be`
      : `generation ${generation} of load balancer ${id} is not kept`,
    'no-such-generation',
  )
