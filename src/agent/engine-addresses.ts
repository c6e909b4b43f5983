import { formatAddress, parseAddress } from './address-book.js'
import type { AgentConfig, EngineAddress } from './config.js'
import type { HostIdentity } from './identity.js'

/** The configured ones first; those of the join are there for who has configured nothing. */
export function engineAddresses({ engines }: AgentConfig, identity: HostIdentity): EngineAddress[] {
  const joined = identity.engines.map(parseAddress).filter((address) => address !== null)
  return [...new Map([...engines, ...joined].map((address) => [formatAddress(address), address])).values()]
}
