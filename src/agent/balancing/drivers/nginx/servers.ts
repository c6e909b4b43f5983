import type { LoadBalancerIntent, MemberIntent, PoolIntent } from '../../../../wire/balancing/intent.js'
import { hostOf } from './text.js'

/** Members that have been seen well, by id. Those that nobody checks need not be. */
export type SeenWell = ReadonlySet<string>

/** As if every check had been good. */
export const allMembers = ({ pools }: LoadBalancerIntent): SeenWell =>
  new Set(pools.flatMap(({ members }) => members.map(({ id }) => id)))

export const isMonitored = (pool: PoolIntent): boolean => pool.monitor?.adminStateUp === true

/** Whether it may be given a connection: it is up, and neither idle by its weight nor on its way out. */
export function isUsable(pool: PoolIntent, member: MemberIntent, seenWell: SeenWell): boolean {
  if (!pool.adminStateUp || !member.adminStateUp || member.draining || member.weight === 0) return false
  return !isMonitored(pool) || seenWell.has(member.id)
}

/** Those that are given connections: the backups only where nothing else is left. */
export function inUse(pool: PoolIntent, seenWell: SeenWell): readonly MemberIntent[] {
  const usable = pool.members.filter((member) => isUsable(pool, member, seenWell))
  const first = usable.filter(({ backup }) => !backup)
  return first.length > 0 ? first : usable
}

/** What of a connection says which member it goes to; null: nothing does. */
function hashed({ algorithm, persistence }: PoolIntent): string | null {
  if (algorithm === 'SOURCE_IP_PORT') return '$remote_addr:$remote_port'
  return algorithm === 'SOURCE_IP' || persistence?.type === 'SOURCE_IP' ? '$remote_addr' : null
}

/**
 * The inside of an `upstream`. What a member must not be given is `down`, which leaves the others where a hash had them.
 * `max_fails=0`: who is out is said by checks, and one lost connection would otherwise cost a member ten seconds of its share.
 */
export function renderServers(pool: PoolIntent, name: string, seenWell: SeenWell): string[] {
  const used = new Set(inUse(pool, seenWell))
  // a hash knows no `backup`; and where nothing else is left, a backup is like any other
  const hash = hashed(pool)
  const spares = hash === null && [...used].some(({ backup }) => !backup)
  return [
    `zone ${name} ${64 + pool.members.length * 2}k;`,
    ...(hash === null ? [] : [`hash ${hash} consistent;`]),
    ...(hash === null && pool.algorithm === 'LEAST_CONNECTIONS' ? ['least_conn;'] : []),
    ...pool.members.map((member) => {
      const isSpare = spares && member.backup
      const isDown = !(isSpare ? isUsable(pool, member, seenWell) : used.has(member))
      const weight = Math.max(member.weight, 1)
      const flags = `${isSpare ? ' backup' : ''}${isDown ? ' down' : ''}`
      return `server ${hostOf(member.address)}:${member.port} weight=${weight} max_fails=0${flags};`
    }),
  ]
}
