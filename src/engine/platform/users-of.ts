import { Injectable } from '@nestjs/common'
import type { Tx } from './database.js'
import { Conflict } from './errors.js'

/** Something that uses another thing: what a refused deletion lists (U4). */
export interface User {
  readonly noun: string
  readonly id: string
  readonly name: string
}

type Finder = (tx: Tx, id: string) => Promise<readonly User[]>

const SHOWN = 50

/** Who uses this? Modules to the right answer for the things of those to the left. */
@Injectable()
export class UsersOf {
  private readonly finders = new Map<string, Finder[]>()

  register(noun: string, find: Finder): void {
    this.finders.set(noun, [...(this.finders.get(noun) ?? []), find])
  }

  async list(tx: Tx, noun: string, id: string): Promise<readonly User[]> {
    const found: User[] = []
    for (const find of this.finders.get(noun) ?? []) found.push(...(await find(tx, id)))
    return found
  }

  /** @throws Conflict with the list of users */
  async requireUnused(tx: Tx, noun: string, id: string): Promise<void> {
    const users = await this.list(tx, noun, id)
    if (users.length > 0) {
      throw new Conflict(`${noun} ${id} is used by ${users.length} others`, 'in-use', { users: users.slice(0, SHOWN) })
    }
  }
}
