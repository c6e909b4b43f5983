import { Injectable } from '@nestjs/common'
import { subjectKey, subjectNoun } from '../../wire/commands.js'
import type { InventoryItem, Observation } from '../../wire/session.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { Database, prepared, type Tx } from '../platform/database.js'
import { Gatherer } from '../platform/gatherer.js'
import { Fenced } from '../sessions/fenced.js'
import { compare, type Differences, type Evidence } from './comparison.js'
import { OwnThings, type OwnThingsKeeper } from './own-things.js'
import { Quarantine } from './quarantine.service.js'
import { type HostObservation, type Intent, type SubjectOwner, SubjectOwners } from './subject-owners.js'
import { Tombstones } from './tombstones.service.js'

interface Look {
  readonly tombstones: Evidence[]
  readonly quarantined: boolean
  readonly disputed: string[]
}

interface Push {
  readonly hostId: string
  readonly epoch: number
  readonly observations: readonly Observation[]
}

/** Makes a host's inventory and observations count: what differs from the intent is claimed, sent, quarantined or shown. */
@Injectable()
export class Inventory {
  private readonly pushes: Gatherer<Push, boolean>

  constructor(
    private readonly database: Database,
    private readonly owners: SubjectOwners,
    private readonly ownThings: OwnThings,
    private readonly quarantine: Quarantine,
    private readonly tombstones: Tombstones,
    private readonly events: Events,
  ) {
    this.pushes = new Gatherer({
      name: 'observations',
      maxBatch: 200,
      maxWaiting: 20_000,
      write: (pushes) => this.write(pushes),
    })
  }

  async accept(hostId: string, epoch: number, everything: readonly InventoryItem[]): Promise<void> {
    await this.database.transaction(async (tx) => {
      const { tombstones, quarantined, disputed } = await this.look(tx, hostId, epoch)
      const items = await this.takeOwn(tx, hostId, everything)
      const intents: Intent[] = []
      // one after the other: they share the connection
      for (const owner of this.owners.all()) intents.push(...(await owner.intents(tx, hostId)))
      if (items.length + intents.length + tombstones.length === 0 && !quarantined) return
      await this.apply(tx, hostId, compare(intents, items, tombstones, new Set(disputed)), items)
      await this.observeIn(
        tx,
        items.map((item) => ({ ...item, hostId })),
      )
    })
  }

  /** @throws Fenced when another session is the host's by now: a replica that was paused and wakes up writes nothing */
  async observe(hostId: string, epoch: number, observations: readonly Observation[]): Promise<void> {
    const [current] = await this.pushes.submit([{ hostId, epoch, observations }])
    if (!current) throw new Fenced()
  }

  /** @returns what is left to be compared with the intent */
  private async takeOwn(tx: Tx, hostId: string, everything: readonly InventoryItem[]): Promise<InventoryItem[]> {
    for (const keeper of this.ownThings.all()) {
      const own = everything.filter(({ subject }) => this.keeper(subject) === keeper)
      await keeper.replace(tx, hostId, own)
    }
    return everything.filter(({ subject }) => !this.keeper(subject))
  }

  private async write(pushes: readonly Push[]): Promise<boolean[]> {
    return this.database.transaction(async (tx) => {
      const current = await currentSessions(tx, pushes)
      const fresh = pushes.filter((push) => current.has(`${push.hostId} ${push.epoch}`))
      await this.observeIn(
        tx,
        fresh.flatMap(({ hostId, observations }) => observations.map((o) => ({ ...o, hostId }))),
      )
      return pushes.map((push) => current.has(`${push.hostId} ${push.epoch}`))
    })
  }

  /** What the plane has against the host, in one look. */
  private async look(tx: Tx, hostId: string, epoch: number): Promise<Look> {
    const [row] = await prepared<Look>(
      tx,
      'inventory_look',
      `SELECT coalesce((SELECT jsonb_agg(jsonb_build_object('subject', t.subject, 'generation', t.generation, 'state', t.state,
                          'underWay', EXISTS (SELECT FROM commands c
                            WHERE c.host_id = t.host_id AND c.subject = t.subject AND c.finished_at IS NULL)))
                        FROM tombstones t WHERE t.host_id = h.id), '[]') AS tombstones,
         EXISTS (SELECT FROM quarantine q WHERE q.host_id = h.id AND q.state IN ('held', 'dismissed')) AS quarantined,
         ARRAY(SELECT q.subject FROM quarantine q
               WHERE q.host_id = h.id AND q.reason = 'newer' AND q.state IN ('held', 'dismissed')) AS disputed
       FROM hosts h WHERE h.id = $1 AND h.session_epoch = $2 FOR SHARE OF h`,
      [hostId, epoch],
    )
    if (!row) throw new Fenced()
    return row
  }

  private async apply(tx: Tx, hostId: string, found: Differences, items: readonly InventoryItem[]): Promise<void> {
    await this.quarantine.record(tx, hostId, found, items)
    for (const { subject, above } of found.assert)
      await this.owner(subject)?.assert(tx, hostId, subjectKey(subject), above)
    const gone = found.gone.map(({ subject, generation }) => ({ hostId, subject, generation }))
    const drafts = gone.length > 0 ? await this.tombstones.confirm(tx, gone) : []
    for (const item of found.adopt) drafts.push(...((await this.owner(item.subject)?.adopt(tx, hostId, item)) ?? []))
    for (const item of found.dispute)
      drafts.push(...((await this.owner(item.subject)?.dispute(tx, hostId, item)) ?? []))
    await this.events.append(tx, drafts)
    if (found.remove.length === 0 || !(await this.quarantine.removalsAllowed(tx))) return
    for (const { subject, generation } of found.remove)
      await this.owner(subject)?.remove(tx, hostId, subjectKey(subject), generation)
  }

  private async observeIn(tx: Tx, seen: readonly HostObservation[]): Promise<void> {
    const drafts: EventDraft[] = []
    for (const [owner, observations] of grouped(seen, (subject) => this.owner(subject)))
      drafts.push(...(await owner.observe(tx, observations)))
    for (const [keeper, observations] of grouped(seen, (subject) => this.keeper(subject)))
      await keeper.observe(tx, observations)
    await this.events.append(tx, drafts)
  }

  private keeper(subject: string): OwnThingsKeeper | undefined {
    return this.ownThings.find(subjectNoun(subject))
  }

  private owner(subject: string): SubjectOwner | undefined {
    return this.owners.find(subjectNoun(subject))
  }
}

/** What is of nobody's noun, as of a newer agent, is left out. */
function grouped<O>(
  seen: readonly HostObservation[],
  ownerOf: (subject: string) => O | undefined,
): ReadonlyMap<O, HostObservation[]> {
  const groups = new Map<O, HostObservation[]>()
  for (const observation of seen) {
    const owner = ownerOf(observation.subject)
    if (owner === undefined) continue
    const group = groups.get(owner)
    if (group) group.push(observation)
    else groups.set(owner, [observation])
  }
  return groups
}

/** Which of the pushes come over their host's current session. */
async function currentSessions(tx: Tx, pushes: readonly Push[]): Promise<ReadonlySet<string>> {
  const rows = await prepared<{ id: string; epoch: number }>(
    tx,
    'inventory_current_sessions',
    `SELECT h.id, h.session_epoch AS epoch FROM hosts h
     JOIN unnest($1::uuid[], $2::bigint[]) AS p(id, epoch) ON p.id = h.id AND p.epoch = h.session_epoch`,
    [pushes.map((p) => p.hostId), pushes.map((p) => p.epoch)],
  )
  return new Set(rows.map((row) => `${row.id} ${row.epoch}`))
}
