import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Injectable } from '@nestjs/common'
import type { BalancingChecked } from '../../../wire/balancing/commands.js'
import { planSubject } from '../../../wire/commands.js'
import type { Fault } from '../../../wire/session.js'
import { Commands } from '../../commands/commands.service.js'
import type { CommandState } from '../../commands/commands.states.js'
import { type Caller, requireInProject } from '../../platform/caller.js'
import { Database } from '../../platform/database.js'
import { Conflict, NotFound, Unavailable } from '../../platform/errors.js'
import { CertificateKeys } from '../certificate-keys.js'
import { requireFrame } from '../command-size.js'
import { bounded } from '../edits/bounds.js'
import { type LoadBalancerChange, updateLoadBalancer } from '../edits/load-balancers.js'
import { applyOf } from '../intent.js'
import { isConnected } from '../moves/move.queries.js'
import type { Edit } from '../tree.js'
import { loadBalancer } from '../tree.queries.js'
import { configurationDiff } from './configuration-diff.js'
import type { PlanView } from './plan.dto.js'
import { type PlannedEdit, readPlanned } from './planned-edits.js'

interface EndOfCheck {
  readonly state: CommandState
  readonly result: BalancingChecked | null
  readonly fault: Fault | null
}

const PLAN_MS = 20_000
/** The command has expired by then, and its end is written down. */
const WAIT_MS = PLAN_MS + 3_000
const LOOK_MS = 100
const MAX_WAITING = 50

/** What a change would come to on its device, judged by that and not made. */
@Injectable()
export class Plans {
  private waiting = 0

  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly certificates: CertificateKeys,
  ) {}

  /** @throws Conflict while its host is away, Unavailable when it does not answer; whatever the edits throw */
  async plan(
    caller: Caller,
    id: string,
    { edits, ...said }: LoadBalancerChange & { readonly edits?: readonly PlannedEdit[] | null },
  ): Promise<PlanView> {
    if (this.waiting >= MAX_WAITING) throw new Unavailable(`${MAX_WAITING} plans are under way already`)
    this.waiting++
    try {
      const below = await readPlanned(edits ?? [], id)
      const edit = bounded((tree) => below(updateLoadBalancer(said)(tree)))
      return viewOf(await this.endOf(await this.ask(caller, id, edit)))
    } finally {
      this.waiting--
    }
  }

  /** No row of the balancer is touched, nor waited for. */
  private async ask(caller: Caller, id: string, edit: Edit): Promise<string> {
    return this.database.transaction(async (tx) => {
      const loaded = await loadBalancer(tx, id)
      if (!loaded) throw new NotFound(`load balancer ${id}`)
      const { hostId, projectId, generation } = loaded.tree.loadBalancer
      requireInProject(caller, projectId, 'operator', `load balancer ${id}`)
      const tree = edit(loaded.tree)
      if (!(await isConnected(tx, hostId)))
        throw new Conflict(`the host of load balancer ${id} has no agent: nobody can judge a plan`)
      const { certificates, keys } = await this.certificates.ofTree(tx, tree)
      const payload = applyOf(tree, loaded.device, { network: loaded.network, certificates })
      requireFrame(payload, keys)
      return this.commands.enqueue(tx, {
        kind: 'balancing.check',
        hostId,
        projectId,
        subject: planSubject(randomUUID()),
        generation: generation + 1,
        deadlineMs: PLAN_MS,
        payload,
        ...(Object.keys(keys).length > 0 ? { secrets: { keys: { ...keys } } } : {}),
      })
    })
  }

  private async endOf(commandId: string): Promise<EndOfCheck> {
    const endsMs = performance.now() + WAIT_MS
    while (performance.now() < endsMs) {
      const [end] = await this.database.query<EndOfCheck>(
        'balancing_plan_end',
        'SELECT state, result, fault FROM commands WHERE id = $1 AND finished_at IS NOT NULL',
        [commandId],
      )
      if (end) return end
      await pause(LOOK_MS)
    }
    throw new Unavailable('the host has not answered in time')
  }
}

function viewOf({ state, result, fault }: EndOfCheck): PlanView {
  if (!result) throw new Unavailable(`the host has judged nothing: ${fault?.message ?? `the command ended ${state}`}`)
  const { accepted, words, current, planned } = result
  return { accepted, words, diff: configurationDiff(current ?? '', planned ?? '') }
}
