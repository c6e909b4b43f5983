import { MAX_OWN_THINGS } from '../../wire/own-things.js'
import { type StorageArguments, sameOptions } from '../../wire/storage/arguments.js'
import { CONNECTION_ID } from '../../wire/storage/connection-id.js'
import { sameArguments } from '../../wire/storage/sameness.js'
import { FaultError } from '../fault.js'
import { Turns } from '../turns.js'
import { requireArguments } from './arguments.js'
import { badArguments, idInUse, notRegistered } from './faults.js'
import { holderOf, ownKey } from './holder.js'
import type { StorageKeeper } from './keeper.js'
import type { StorageState, StoredConnection } from './state.js'
import { requireStored } from './stored-options.js'

const MAX_URI_CHARS = 2048

/** The ids that programs of this host ask for (`origin: host`): kept like the plane's, beside them, and none of its business. */
export class OwnConnections {
  private readonly turns = new Turns()

  constructor(
    private readonly keeper: StorageKeeper,
    private readonly state: StorageState,
    private readonly onChange: () => void,
  ) {}

  /**
   * On disk when this resolves (S1). The same again is a success: who got no answer asks again.
   * @throws FaultError `bad-arguments` 453, `id-in-use` 478, and what the host has against the scheme
   */
  async manage(connectionId: string, asked: StorageArguments): Promise<void> {
    if (!CONNECTION_ID.test(connectionId)) {
      const rule = "must have 1 to 255 characters without '/' and control characters, and not be '.' or '..'"
      throw badArguments(`the connection id ${rule}`)
    }
    if (asked.uri.length > MAX_URI_CHARS) throw badArguments(`the URI has more than ${MAX_URI_CHARS} characters`)
    requireArguments(asked)
    const key = ownKey(connectionId)
    await this.turns.take(key, async () => {
      const held = this.state.connections.get(key)
      // what is held is on disk: its own turn is over
      if (held !== undefined && isHeldSo(held, connectionId, asked)) return
      if (held === undefined) this.requireRoom()
      const { uri, options = {}, credentials = {} } = asked
      await this.keeper.manage({ connectionId: key, uri, options, credentials }, 0)
      this.onChange()
    })
  }

  /** S4: an unknown id is an error; a disconnect that fails is not. @throws FaultError `not-registered` 479 */
  unmanage(connectionId: string): Promise<void> {
    const key = ownKey(connectionId)
    return this.turns.take(key, async () => {
      if ((await this.keeper.unmanage(key)).outcome === 'absent') throw notRegistered(connectionId)
      this.onChange()
    })
  }

  private requireRoom(): void {
    const count = [...this.state.connections.keys()].filter((key) => holderOf(key).origin === 'host').length
    if (count < MAX_OWN_THINGS) return
    throw new FaultError('too-many', `this host holds ${count} ids of its own: that is as many as it takes`, 100)
  }
}

/**
 * Whether there is nothing to do, for it is held like that. Not where its credentials were lost: what they were nobody knows
 * any more, and those that are given now count.
 * @throws FaultError `id-in-use`
 */
function isHeldSo(held: StoredConnection, connectionId: string, asked: StorageArguments): boolean {
  if (!sameArguments(held, asked)) throw idInUse(connectionId)
  const areLost = requireStored(held).missing.length > 0
  if (!areLost && !sameCredentials(held, asked)) throw idInUse(connectionId)
  return !areLost
}

const sameCredentials = (held: StorageArguments, asked: StorageArguments): boolean =>
  sameOptions(held.credentials ?? {}, asked.credentials ?? {})
