import { isIPv4, isIPv6 } from 'node:net'
import { hostOf } from '../../../wire/storage/host.js'
import type { IscsiUri } from '../../../wire/storage/schemes/iscsi.js'
import type { Run } from '../../host/run.js'
import type { IscsiSession } from './sessions.js'

/** Where a session is logged in to: the target's name and the portal. */
export type Portal = Pick<IscsiUri, 'name' | 'host' | 'port' | 'portalGroup'>

const RESOLVE_MS = 5000

/** The host as iscsiadm keeps it, and the kernel shows it: without brackets. */
export const bareHost = ({ host }: Pick<Portal, 'host'>): string => host.replace(/^\[(.*)\]$/, '$1')

export const portalText = ({ host, port }: Pick<Portal, 'host' | 'port'>): string => `${host}:${port}`

/** The portal that a session was asked for at; null where the kernel does not say. */
export function portalOf({ name, persistentAddress, persistentPort, portalGroup }: IscsiSession): Portal | null {
  const host = canonical(persistentAddress)
  if (host === null || persistentPort === null || portalGroup === null) return null
  return { name, host, port: persistentPort, portalGroup }
}

/** Whether the session was asked for by this very spelling of the portal. */
export const isSpelled = (portal: Portal, session: IscsiSession): boolean =>
  isSameName(portal, session) && canonical(session.persistentAddress) === portal.host

/**
 * The sessions with the portal, by whatever name or address they were asked for; a name is resolved only where nothing
 * else decides. The portal group is not compared: a target has a portal in one group alone.
 */
export async function sessionsWith(
  portal: Portal,
  sessions: readonly IscsiSession[],
  run: Run,
): Promise<IscsiSession[]> {
  const others = sessions.filter((session) => isSameName(portal, session) && !isSpelled(portal, session))
  const spelled = sessions.filter((session) => isSpelled(portal, session))
  if (others.length === 0) return spelled
  const wanted = await addressesOf(portal.host, run)
  return [...spelled, ...others.filter((session) => wanted.has(addressOf(session) ?? ''))]
}

/** A target that was asked for by address and sent the initiator elsewhere is still the one that was asked for. */
const addressOf = ({ persistentAddress, address }: IscsiSession): string | null => {
  const asked = canonical(persistentAddress)
  return asked !== null && isAddress(asked) ? asked : canonical(address)
}

const isSameName = ({ name, port }: Portal, session: IscsiSession): boolean =>
  session.name === name && session.persistentPort === port

/** In a child, since a resolver that hangs would freeze the agent's own. A name that is not known has no address. */
async function addressesOf(host: string, run: Run): Promise<ReadonlySet<string>> {
  if (isAddress(host)) return new Set([host])
  const result = await run('getent', ['ahosts', '--', host], { deadlineMs: RESOLVE_MS, killAfterMs: 0 })
  if (result.outcome !== 'exited' || result.code !== 0) return new Set()
  const found = result.stdout.split('\n').map((line) => canonical(line.split(/\s/)[0] ?? ''))
  return new Set(found.filter((address) => address !== null))
}

/** In the one spelling of a URI's host: the kernel writes all eight groups of an IPv6 address. */
function canonical(text: string | null): string | null {
  const bare = text?.replace(/^\[(.*)\]$/, '$1').replace(/%.*$/, '') ?? ''
  if (bare === '') return null
  return isIPv6(bare) ? hostOf('iscsi', `[${bare}]`) : bare.toLowerCase().replace(/\.$/, '')
}

const isAddress = (host: string): boolean => isIPv4(host) || host.startsWith('[')
