import { Injectable } from '@nestjs/common'
import type { InventoryItem, Observation } from '../../wire/session.js'
import type { EventDraft } from '../events/events.service.js'
import type { Tx } from '../platform/database.js'

/** One row of a module's, as the comparison with a host's inventory needs it. */
export interface Intent {
  readonly subject: string
  readonly generation: number
  /** Hash of what the host should hold, as `digestOf` gives it. */
  readonly digest: string
  /** The thing is meant to go. */
  readonly leaving: boolean
  /** The row is in ERROR. */
  readonly failed: boolean
  /** A command for it has not ended: the comparison leaves it alone. */
  readonly underWay: boolean
}

export type HostObservation = Observation & { readonly hostId: string }

/** What the hosts' module needs of whoever owns the things under one noun. Claims are made like anybody else's. */
export interface SubjectOwner {
  intents(tx: Tx, hostId: string): Promise<Intent[]>
  /** Sends the intent again, with a generation above `above`. */
  assert(tx: Tx, hostId: string, key: string, above: number): Promise<void>
  /** Has the host let go of a thing, whether there is a row or not. */
  remove(tx: Tx, hostId: string, key: string, generation: number): Promise<void>
  /** The host holds what is wanted, in a newer generation or while the row is in ERROR: the row becomes that. */
  adopt(tx: Tx, hostId: string, item: InventoryItem): Promise<EventDraft[]>
  /** The host holds a newer generation that says something else: the row is in ERROR until an operator says what holds. */
  dispute(tx: Tx, hostId: string, item: InventoryItem): Promise<EventDraft[]>
  /** Set-based: of many hosts at once; of one subject the last counts. */
  observe(tx: Tx, observations: readonly HostObservation[]): Promise<EventDraft[]>
  /** The host's session has ended: nothing is seen of its things. */
  unseen(tx: Tx, hostId: string): Promise<void>
  /** An administrator gives a thing up without a confirmation of the host: its row goes, and what waits for it ends. */
  forget(tx: Tx, hostId: string, key: string): Promise<EventDraft[]>
}

/** Modules to the right say which nouns on a host are theirs. */
@Injectable()
export class SubjectOwners {
  private readonly byNoun = new Map<string, SubjectOwner>()

  register(noun: string, owner: SubjectOwner): void {
    if (this.byNoun.has(noun)) throw new Error(`${noun} has two owners`)
    this.byNoun.set(noun, owner)
  }

  find(noun: string): SubjectOwner | undefined {
    return this.byNoun.get(noun)
  }

  all(): SubjectOwner[] {
    return [...this.byNoun.values()]
  }
}
