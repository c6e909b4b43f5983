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
type FinderOfMany = (tx: Tx, ids: readonly string[]) => Promise<readonly User[]>

const SHOWN = 50

/** Who uses this? Modules to the right answer for the things of those to the left. */
@Injectable()
export class UsersOf {
  private readonly finders = new Map<string, FinderOfMany[]>()

  register(noun: string, find: Finder): void {
    this.registerMany(noun, async (tx, ids) => {
      const found: User[] = []
      for (const id of ids) found.push(...(await find(tx, id)))
      return found
    })
  }

  /** Of things that go by the hundred. */
  registerMany(noun: string, find: FinderOfMany): void {
    this.finders.set(noun, [...(this.finders.get(noun) ?? []), find])
  }

  list(tx: Tx, noun: string, id: string): Promise<readonly User[]> {
    return this.listAll(tx, noun, [id])
  }

  /** Whoever uses one of these. */
  async listAll(tx: Tx, noun: string, ids: readonly string[]): Promise<readonly User[]> {
    const found: User[] = []
    for (const find of this.finders.get(noun) ?? []) found.push(...(await find(tx, ids)))
    return found
  }

  /** @throws Conflict with the list of users */
  async requireUnused(tx: Tx, noun: string, id: string): Promise<void> {
    const users = await this.list(tx, noun, id)
    if (users.length > 0) throw inUseBy(`${noun} ${id}`, users)
  }
}

export const inUseBy = (what: string, users: readonly User[]): Conflict =>
  new Conflict(`${what} is used by ${users.length} others`, 'in-use', { users: users.slice(0, SHOWN) })
