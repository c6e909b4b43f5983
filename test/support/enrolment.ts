import { enrol } from '../../src/agent/enrol.js'
import type { HostIdentity } from '../../src/agent/identity.js'

/** Where agents dial, and what lets them in there. */
export interface AgentPort {
  readonly host: string
  readonly port: number
  /** Of the host of this name: enrolled when it is first asked for. */
  identityOf(name: string): Promise<HostIdentity>
}

/** @param makeToken a join token for many hosts, also for those that are known */
export function enrolsOnce(makeToken: () => Promise<string>): (name: string) => Promise<HostIdentity> {
  const identities = new Map<string, Promise<HostIdentity>>()
  let token: Promise<string> | undefined
  return (name) => {
    const known = identities.get(name)
    if (known) return known
    token ??= makeToken()
    const identity = token.then((text) => enrol(name, text))
    identities.set(name, identity)
    identity.catch(() => identities.delete(name))
    return identity
  }
}
