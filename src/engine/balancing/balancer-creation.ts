import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { currentContext, type LogContext, runWith } from '../../log/context.js'
import { providers } from '../../wire/balancing/providers.js'
import { balancerSubject } from '../../wire/commands.js'
import type { NetworkIntent } from '../../wire/networks.js'
import { type CommandInsert, insertCommands } from '../commands/commands.queries.js'
import { Commands } from '../commands/commands.service.js'
import { type Decided, insertUnchained } from '../identity/audit.queries.js'
import { Audit } from '../identity/audit.service.js'
import { NetworkAddresses } from '../networks/network-addresses.service.js'
import { Database, isRetryable, prepared, sqlState, type Tx } from '../platform/database.js'
import { DomainError } from '../platform/errors.js'
import { Gatherer } from '../platform/gatherer.js'
import { BalancerIntents } from './balancer-intents.js'
import { BalancerPlacement, type PlacedDevice } from './balancer-placement.js'
import { HOLDER_NOUN } from './load-balancer.entity.js'
import { requireMemberNetworks } from './member-networks.js'
import { emptyTree, FIRST_GENERATION, type NewBalancer } from './new-balancer.js'
import { partNouns, rowOf } from './part-tables.js'
import type { Tree } from './tree.js'
import { insertBalancers, networkFrom, writeParts } from './tree.queries.js'
import { type Changes, changesBetween, newMembers, storedTree } from './tree-changes.js'

interface Asked {
  readonly id: string
  readonly projectId: string
  readonly wanted: NewBalancer
  readonly provider: PlacedDevice['provider'] | null
  /** Of the audit log's row; null: there is to be none. */
  readonly draft: Decided | null
  /** Of the request: a batch is of many. */
  readonly context: LogContext
}

interface Made {
  readonly tree: Tree
  readonly auditId: number | null
}

interface Prepared {
  readonly asked: Asked
  readonly changes: Changes
  readonly tree: Tree
  readonly insert: CommandInsert
}

const FOREIGN_KEY_VIOLATION = '23503'
const UNIQUE_VIOLATION = '23505'

/**
 * New balancers where nothing stands in the way: what is asked for while others are made is made together, by one transaction of
 * few statements (docs/adr/0040).
 */
@Injectable()
export class BalancerCreation {
  private readonly gatherer = new Gatherer<Asked, Made | null>({
    name: 'new load balancers',
    maxBatch: 50,
    maxWaiting: 2_000,
    write: (asked) => this.makeAll(asked),
  })

  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly audit: Audit,
    private readonly addresses: NetworkAddresses,
    private readonly placement: BalancerPlacement,
    private readonly intents: BalancerIntents,
  ) {}

  /** @returns null, and nothing has happened, where there is more to it: step by step is found out what */
  async atOnce(projectId: string, wanted: NewBalancer): Promise<Tree | null> {
    const { vipAddress, flavorId, availabilityZone } = wanted
    if (this.database.isOpen || vipAddress || flavorId || availabilityZone) return null
    const provider = providers.find((one) => one === wanted.provider) ?? null
    if (wanted.provider && !provider) return null
    const id = wanted.id ?? randomUUID()
    let tree: Tree | null = null
    await this.audit.beside(balancerSubject(id), projectId, async (draft) => {
      const asked = { id, projectId, wanted, provider, draft, context: currentContext() }
      const [made] = await this.gatherer.submit([asked]).catch(unlessSomebodyInterfered)
      tree = made?.tree ?? null
      return made?.auditId ?? null
    })
    return tree
  }

  private makeAll(asked: readonly Asked[]): Promise<(Made | null)[]> {
    return this.database.transaction(async (tx) => {
      const prepared = await this.prepareAll(tx, asked)
      if (prepared.length === 0) return asked.map(() => null)
      await insertBalancers(
        tx,
        prepared.map(({ tree }) => ({ row: tree.loadBalancer, tree: storedTree(tree) })),
      )
      await writeParts(tx, together(prepared.map(({ changes }) => changes)), FIRST_GENERATION)
      const inserts = prepared.map(({ insert }) => insert)
      await insertCommands(tx, inserts)
      this.database.afterCommit(tx, () => this.commands.queued(inserts))
      const auditIds = await recordAll(tx, prepared)
      const made = new Map(prepared.map(({ asked: { id }, tree }) => [id, { tree, auditId: auditIds.get(id) ?? null }]))
      return asked.map(({ id }) => made.get(id) ?? null)
    })
  }

  private async prepareAll(tx: Tx, asked: readonly Asked[]): Promise<Prepared[]> {
    const { unlimited, networks } = await look(tx, asked)
    const able = asked.filter(({ projectId, wanted }) => unlimited.has(projectId) && networks.has(wanted.networkId))
    const places = await this.placement.placeAll(tx, able)
    const placed = able.flatMap((one, i) => (places[i] ? [{ ...one, place: places[i] }] : []))
    const addresses = await this.addresses.claimLowest(
      tx,
      placed.map(({ id, projectId, wanted: { networkId } }) => ({
        networkId,
        projectId,
        holder: { noun: HOLDER_NOUN, id },
      })),
    )
    const found: Prepared[] = []
    for (const [i, { place, ...one }] of placed.entries()) {
      const [vipAddress, network] = [addresses[i], networks.get(one.wanted.networkId)]
      if (vipAddress && network) found.push(...(await this.prepare(tx, one, place, { vipAddress, network })))
    }
    return found
  }

  /** What is refused is told by who does it by itself, and here it leaves nothing behind. */
  private async prepare(
    tx: Tx,
    asked: Asked,
    { device, provider }: PlacedDevice,
    { vipAddress, network }: { readonly vipAddress: string; readonly network: NetworkIntent },
  ): Promise<Prepared[]> {
    const { id, projectId, wanted, context } = asked
    const placed = { id, projectId, provider, deviceId: device.id, hostId: device.hostId, vipAddress }
    try {
      const empty = emptyTree(wanted, placed)
      const changes = changesBetween(empty, wanted.build(empty), FIRST_GENERATION)
      await requireMemberNetworks(tx, projectId, newMembers(changes))
      const at = { network, device }
      const { tree, command } = await this.intents.intend(tx, changes.tree, at, 'balancing.balancer.created')
      return [{ asked, changes, tree, insert: runWith(context, () => this.commands.insertOf(command)) }]
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      await this.addresses.release(tx, { noun: HOLDER_NOUN, id })
      return []
    }
  }
}

interface Look {
  /** Projects in which nothing of it has a limit. */
  readonly unlimited: ReadonlySet<string>
  readonly networks: ReadonlyMap<string, NetworkIntent>
}

/** Networks stay as they are told to the hosts until the transaction ends. */
async function look(tx: Tx, asked: readonly Asked[]): Promise<Look> {
  const [row] = await prepared<{ unlimited: string[] | null; networks: Record<string, unknown>[] | null }>(
    tx,
    'balancing_creation_look',
    `WITH unlimited AS (
       SELECT id FROM projects WHERE id = ANY($1::uuid[]) AND NOT limits ?|
         ARRAY['loadBalancers', 'listeners', 'members', 'pools', 'healthMonitors', 'l7Policies', 'l7Rules']
       ORDER BY id FOR KEY SHARE
     ), wanted AS (
       SELECT * FROM networks WHERE id = ANY($2::uuid[]) ORDER BY id FOR SHARE
     )
     SELECT (SELECT array_agg(id) FROM unlimited) AS unlimited, (SELECT jsonb_agg(to_jsonb(n)) FROM wanted n) AS networks`,
    [[...new Set(asked.map((one) => one.projectId))], [...new Set(asked.map((one) => one.wanted.networkId))]],
  )
  const networks = (row?.networks ?? []).map((json) => networkFrom(rowOf<NetworkIntent>(json)))
  return { unlimited: new Set(row?.unlimited), networks: new Map(networks.map((one) => [one.id, one])) }
}

async function recordAll(tx: Tx, made: readonly Prepared[]): Promise<ReadonlyMap<string, number>> {
  const drafts = made.flatMap(({ asked: { id, draft } }) => (draft ? [{ id, draft }] : []))
  if (drafts.length === 0) return new Map()
  const ids = await insertUnchained(
    tx,
    drafts.map(({ draft }) => draft),
  )
  return new Map(drafts.flatMap(({ id }, i) => (ids[i] === undefined ? [] : [[id, ids[i]]])))
}

/** The rows of many balancers as those of one. */
function together(changes: readonly Changes[]): Pick<Changes, 'made' | 'changed' | 'gone'> {
  const of = <K extends 'made' | 'changed' | 'gone'>(how: K) =>
    // each noun has its rows under its own name
    Object.fromEntries(
      partNouns.map((noun) => [noun, changes.flatMap((one) => [...one[how][noun]])]),
    ) as unknown as Changes[K]
  return { made: of('made'), changed: of('changed'), gone: of('gone') }
}

/** A host, project or network was removed at this moment, an id is taken, or a deadlock was broken: worth a second look. */
function unlessSomebodyInterfered(error: unknown): [] {
  const state = sqlState(error)
  if (isRetryable(error) || state === FOREIGN_KEY_VIOLATION || state === UNIQUE_VIOLATION) return []
  throw error
}
