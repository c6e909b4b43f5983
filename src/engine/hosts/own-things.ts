import { Injectable } from '@nestjs/common'
import type { InventoryItem } from '../../wire/session.js'
import type { Tx } from '../platform/database.js'
import type { HostObservation } from './subject-owners.js'

/**
 * Keeps what hosts tell of themselves under some nouns. The plane has no say in it: there is no intent to compare it with, no
 * command, no tombstone, and it is never quarantined.
 */
export interface OwnThingsKeeper {
  readonly nouns: readonly string[]
  /** All that the host has: what it does not name is no more. */
  replace(tx: Tx, hostId: string, items: readonly InventoryItem[]): Promise<void>
  /** Set-based: of many hosts at once; of one subject the last counts. */
  observe(tx: Tx, observations: readonly HostObservation[]): Promise<void>
  /** The host's session has ended: nothing is seen of its things. */
  unseen(tx: Tx, hostId: string): Promise<void>
}

/** Modules to the right say which of hosts' own things they keep. */
@Injectable()
export class OwnThings {
  private readonly byNoun = new Map<string, OwnThingsKeeper>()

  register(keeper: OwnThingsKeeper): void {
    for (const noun of keeper.nouns) {
      if (this.byNoun.has(noun)) throw new Error(`${noun} has two keepers`)
      this.byNoun.set(noun, keeper)
    }
  }

  find(noun: string): OwnThingsKeeper | undefined {
    return this.byNoun.get(noun)
  }

  all(): OwnThingsKeeper[] {
    return [...new Set(this.byNoun.values())]
  }
}
