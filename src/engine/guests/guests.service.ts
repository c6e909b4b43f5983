import { Injectable } from '@nestjs/common'
import type { GuestPower } from '../../wire/guests/terms.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { isPending } from '../platform/provisioning.js'
import type { GuestQuery } from './guest.dto.js'
import { Guest } from './guest.entity.js'
import { GuestChanges } from './guest-changes.js'
import type { GuestMessageQuery, GuestRun, ShownMessage } from './guest-message.dto.js'
import { GuestMessage } from './guest-message.entity.js'
import { shownMessages } from './guest-messages.queries.js'
import { lockGuests, type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestRebuild } from './guest-rebuild.js'
import { GuestRemoval } from './guest-removal.js'
import { GuestRuns } from './guest-runs.js'
import type { GuestUpdate } from './guest-update.dto.js'
import { GuestWorkflow } from './guest-workflow.js'
import { allowedActions, type GuestAction, type GuestStep } from './guests.states.js'

const listing: Listing<Guest> = {
  entity: Guest,
  sortable: ['name', 'createdAt'],
  defaultSort: '-createdAt',
  filterable: ['projectId', 'name', 'hostId', 'imageId', 'provisioningStatus', 'operatingStatus', 'step'],
}

const messageListing: Listing<GuestMessage> = {
  entity: GuestMessage,
  sortable: ['createdAt'],
  defaultSort: '-createdAt',
}

/** What an action makes of the way a guest is wanted to be, and the step that its host is asked in. */
const powered = {
  start: ['RUNNING', 'power'],
  stop: ['STOPPED', 'power'],
  pause: ['PAUSED', 'power'],
  resume: ['RUNNING', 'power'],
  reset: ['RUNNING', 'reset'],
  restart: ['RUNNING', 'restart'],
} as const satisfies Partial<Record<GuestAction, readonly [GuestPower, GuestStep]>>
export type PowerAction = keyof typeof powered

/** Guests, as they are asked for. */
@Injectable()
export class Guests {
  constructor(
    private readonly database: Database,
    private readonly workflow: GuestWorkflow,
    private readonly removal: GuestRemoval,
    private readonly rebuilding: GuestRebuild,
    private readonly runs: GuestRuns,
    private readonly changes: GuestChanges,
    private readonly events: Events,
  ) {}

  async list(caller: Caller, query: GuestQuery): Promise<Page<WholeGuest>> {
    const { items, next } = await page(this.database.dataSource.manager, listing, query, inProjectsOf(caller))
    const ids = items.map(({ id }) => id)
    const wholes = await this.database.statement((tx) => wholeGuests(tx, ids))
    const byId = new Map(wholes.map((whole) => [whole.guest.id, whole]))
    return { items: ids.flatMap((id) => byId.get(id) ?? []), next }
  }

  async require(caller: Caller, id: string): Promise<WholeGuest> {
    const [whole] = await this.database.statement((tx) => wholeGuests(tx, [id]))
    if (!whole) throw new NotFound(`guest ${id}`)
    requireInProject(caller, whole.guest.projectId, 'viewer', `guest ${id}`)
    return whole
  }

  /** The ledger of what was said to it (G3, G4). */
  async messages(caller: Caller, id: string, query: GuestMessageQuery): Promise<Page<ShownMessage>> {
    await this.require(caller, id)
    const { manager } = this.database.dataSource
    const { items, next } = await page(manager, messageListing, query, (rows) => {
      rows.andWhere('row.guestId = :id', { id })
    })
    return { items: await shownMessages(manager, items), next }
  }

  /** Never refused, and asked for twice is one (L9). */
  async delete(caller: Caller, id: string, ifMatch: IfMatch | null): Promise<WholeGuest> {
    return this.change(caller, id, ifMatch, async (tx, whole) => {
      if (whole.guest.provisioningStatus === 'PENDING_DELETE') return []
      return this.removal.begin(tx, whole)
    })
  }

  /** Made anew of its image, whatever is under way. */
  async rebuild(caller: Caller, id: string, ifMatch: IfMatch | null): Promise<WholeGuest> {
    return this.change(caller, id, ifMatch, async (tx, whole) => {
      requireAllowed(whole.guest, 'rebuild')
      return this.rebuilding.begin(tx, whole)
    })
  }

  /** Something is said to it, once (G3). */
  async run(caller: Caller, id: string, body: GuestRun): Promise<ShownMessage> {
    let message: GuestMessage | null = null
    await this.change(caller, id, null, async (tx, whole) => {
      requireAllowed(whole.guest, 'run')
      message = await this.runs.ask(tx, whole, body)
      return []
    })
    const [shown] = await shownMessages(this.database.dataSource.manager, message ? [message] : [])
    if (!shown) throw new NotFound(`guest ${id}`)
    return shown
  }

  async update(caller: Caller, id: string, body: GuestUpdate, ifMatch: IfMatch | null): Promise<WholeGuest> {
    return this.change(caller, id, ifMatch, async (tx, whole) => {
      requireAllowed(whole.guest, 'update')
      return this.changes.update(tx, whole, body)
    })
  }

  async attach(caller: Caller, id: string, volumeId: string, ifMatch: IfMatch | null): Promise<WholeGuest> {
    return this.change(caller, id, ifMatch, async (tx, whole) => {
      requireAllowed(whole.guest, 'attach')
      return this.changes.attach(tx, whole, volumeId)
    })
  }

  async detach(caller: Caller, id: string, volumeId: string, ifMatch: IfMatch | null): Promise<WholeGuest> {
    return this.change(caller, id, ifMatch, async (tx, whole) => {
      requireAllowed(whole.guest, 'attach')
      return this.changes.detach(tx, whole, volumeId)
    })
  }

  async power(caller: Caller, id: string, action: PowerAction, ifMatch: IfMatch | null): Promise<WholeGuest> {
    const [power, step] = powered[action]
    return this.change(caller, id, ifMatch, async (tx, whole) => {
      requireAllowed(whole.guest, action)
      const { generation } = whole.guest
      const guest: Guest = {
        ...whole.guest,
        power,
        // a reset changes nothing of what its host is to hold
        generation: step !== 'power' ? generation : generation + 1,
        provisioningStatus: 'PENDING_UPDATE',
      }
      return this.workflow.enter(tx, [{ whole: { ...whole, guest }, step }])
    })
  }

  private async change(
    caller: Caller,
    id: string,
    ifMatch: IfMatch | null,
    work: (tx: Tx, whole: WholeGuest) => Promise<EventDraft[]>,
  ): Promise<WholeGuest> {
    const { guest } = await this.require(caller, id)
    // before the lock: nobody holds up what is not theirs
    requireInProject(caller, guest.projectId, 'operator', `guest ${id}`)
    return this.database.transaction(async (tx) => {
      const before = await this.locked(tx, id)
      requireMatch(ifMatch, before.guest.generation)
      await this.events.append(tx, await work(tx, before))
      const [after] = await wholeGuests(tx, [id])
      return after ?? before
    })
  }

  private async locked(tx: Tx, id: string): Promise<WholeGuest> {
    await lockGuests(tx, [id])
    const [whole] = await wholeGuests(tx, [id])
    if (!whole) throw new NotFound(`guest ${id}`)
    return whole
  }
}

export function requireAllowed(guest: Guest, action: GuestAction): void {
  const allowed = allowedActions(guest)
  if (allowed.includes(action)) return
  const { name, provisioningStatus, operatingStatus, power } = guest
  throw new Conflict(
    `guest ${name} is ${provisioningStatus}, and to be ${power}: ${action} is not possible`,
    isPending(provisioningStatus) ? 'pending' : 'conflict',
    { provisioningStatus, operatingStatus, allowed },
  )
}
