import type { Algorithm, PersistenceType, PoolProtocol } from '../../../wire/balancing/terms.js'
import { Conflict, type FieldFault } from '../../platform/errors.js'
import type { Listener } from '../listener.entity.js'
import type { Pool, SessionPersistence } from '../pool.entity.js'
import type { Edit, Tree } from '../tree.js'
import { bounded } from './bounds.js'
import { faultWhen, refuse } from './faults.js'
import { unfit } from './listeners.js'
import {
  altered,
  type Changes,
  changed,
  type Described,
  described,
  type Made,
  newPart,
  replaced,
  required,
} from './rows.js'

/** Without a type: of the one that it has. */
export interface PersistenceChange {
  readonly type?: PersistenceType | null
  readonly cookieName?: string | null
}

export interface PoolChange extends Changes<Described> {
  /** Null is none of them: as it is. */
  readonly lbAlgorithm?: Algorithm | null
  readonly sessionPersistence?: PersistenceChange | null
}

export interface NewPool extends PoolChange, Made {
  readonly protocol: PoolProtocol
  readonly lbAlgorithm: Algorithm
  /** Is its default pool from now on. */
  readonly listenerId?: string | null
}

/** @throws Conflict `pool-taken` when the listener has a default pool */
export const createPool = (input: NewPool): Edit => bounded((tree) => addPool(tree, input))

/** Not bounded yet. */
export function addPool(tree: Tree, input: NewPool): Tree {
  const { id, protocol, lbAlgorithm } = input
  const pool: Pool = {
    ...newPart(tree, id),
    ...changed(described, input, described),
    protocol,
    lbAlgorithm,
    sessionPersistence: persistenceOf(null, input.sessionPersistence),
  }
  refuse(faultsOf(pool))
  const pools = [...tree.pools, pool]
  return { ...tree, pools, listeners: input.listenerId ? leadingTo(pool, input.listenerId, tree) : tree.listeners }
}

export const updatePool = (id: string, input: PoolChange): Edit =>
  bounded((tree) => {
    const pool = required(tree.pools, id, 'pool')
    const next = altered<Pool>(pool, {
      ...changed<Described>(pool, input, described),
      lbAlgorithm: input.lbAlgorithm ?? pool.lbAlgorithm,
      sessionPersistence: persistenceOf(pool.sessionPersistence, input.sessionPersistence),
    })
    refuse(faultsOf(next))
    return { ...tree, pools: replaced(tree.pools, next) }
  })

/**
 * With its members and monitor; listeners whose default it was have none.
 * @throws Conflict `pool-in-use` while an L7 policy leads to it
 */
export const deletePool =
  (id: string): Edit =>
  (tree) => {
    required(tree.pools, id, 'pool')
    const user = tree.l7Policies.find(({ redirectPoolId }) => redirectPoolId === id)
    if (user) {
      throw new Conflict(`pool ${id} is in use by L7 policy ${user.id}`, 'pool-in-use', { l7PolicyId: user.id })
    }
    return {
      ...tree,
      pools: tree.pools.filter((pool) => pool.id !== id),
      members: tree.members.filter(({ poolId }) => poolId !== id),
      healthMonitors: tree.healthMonitors.filter(({ poolId }) => poolId !== id),
      listeners: tree.listeners.map((one) => (one.defaultPoolId === id ? { ...one, defaultPoolId: null } : one)),
    }
  }

function leadingTo(pool: Pool, listenerId: string, { listeners }: Tree): readonly Listener[] {
  const listener = required(listeners, listenerId, 'listener')
  if (listener.defaultPoolId !== null) {
    const message = `listener ${listenerId} has the default pool ${listener.defaultPoolId} already`
    throw new Conflict(message, 'pool-taken', { poolId: listener.defaultPoolId })
  }
  refuse(unfit(listener, pool, 'protocol'))
  return replaced(listeners, { ...listener, defaultPoolId: pool.id })
}

/** @throws Invalid where neither says a type */
function persistenceOf(
  current: SessionPersistence | null,
  said: PersistenceChange | null | undefined,
): SessionPersistence | null {
  if (said === undefined) return current
  if (said === null) return null
  const type = said.type ?? current?.type
  if (!type) {
    refuse([{ field: 'sessionPersistence.type', message: 'session persistence needs a type' }])
    return null
  }
  // the name that is held belongs to a type that has one
  const held = type === current?.type ? current.cookieName : null
  return { type, cookieName: said.cookieName === undefined ? held : said.cookieName }
}

/** What RFC 6265 takes as a name. */
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,255}$/

function faultsOf({ protocol, sessionPersistence }: Pool): FieldFault[] {
  if (!sessionPersistence) return []
  const { type, cookieName } = sessionPersistence
  const named = 'sessionPersistence.cookieName'
  const seesCookies = protocol === 'HTTP' || protocol === 'PROXY' || protocol === 'PROXYV2'
  return [
    ...faultWhen(
      type !== 'SOURCE_IP' && !seesCookies,
      'sessionPersistence.type',
      `a pool of protocol ${protocol} sees no cookies: its session persistence can be SOURCE_IP alone`,
    ),
    ...faultWhen(type === 'APP_COOKIE' && !cookieName, named, 'session persistence APP_COOKIE needs a cookieName'),
    ...faultWhen(type !== 'APP_COOKIE' && !!cookieName, named, `session persistence ${type} has no cookieName`),
    ...faultWhen(!!cookieName && !COOKIE_NAME.test(cookieName), named, 'cookieName is not the name of a cookie'),
  ]
}
