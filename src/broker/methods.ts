import type { XmlRpcValue } from '../agent/xmlrpc/value.js'
import type { AliveHosts } from './alive-hosts.js'
import { fault } from './fault-codes.js'
import type { HostLock } from './host-lock.js'
import { type Method, type Methods, method } from './method.js'
import type { Monitors } from './monitors/monitors.js'
import { MAX_HOST_ID } from './whiteboard/layout.js'
import type { Whiteboard } from './whiteboard/whiteboard.js'

export interface MethodParts {
  readonly monitors: Monitors
  readonly whiteboard: Whiteboard
  readonly alive: AliveHosts
  readonly lock: HostLock
}

/** oVirt's surface (facts of its broker), call by call. What was done answers "ok"; what was not is a fault, never nil. */
export const brokerMethods = ({ monitors, whiteboard, alive, lock }: MethodParts): Methods => ({
  start_monitor: method(
    ['string', 'string', 'struct'],
    'Starts a monitor, or starts it again with other options.',
    (type, options) => monitors.start(type, options),
  ),
  stop_monitor: method(
    ['string', 'string'],
    'Stops a monitor by its id.',
    done((id) => monitors.stop(id)),
  ),
  status_monitor: method(['string', 'string'], 'What a monitor saw last: a text, "None" while it is unknown.', (id) =>
    monitors.status(id),
  ),
  get_stats: method(['struct'], 'Blocks of the whiteboard that are not empty, by host id.', async () => {
    const blocks = await whiteboard.read()
    return Object.fromEntries([...blocks].map(([id, block]) => [String(id), block]))
  }),
  put_stats: method(
    ['string', 'int', 'base64'],
    "Writes a host's block of the whiteboard; 0 is the cluster's.",
    done((hostId, data) => whiteboard.write(hostId, data)),
  ),
  push_hosts_state: method(
    ['string', 'array'],
    'Tells which hosts are alive.',
    done((hostIds) => alive.push(hostIds.map(hostIdOf))),
  ),
  is_host_alive: method(['array'], 'Hosts of the last push; none when it is older than a minute.', () =>
    alive.recent(),
  ),
  notify: method(
    ['string', 'string', 'string', 'struct'],
    'Tells people of a state transition, where a rule says so: "sent" or "ignored".',
    // as the original without a rule; nobody can make one in this version
    () => 'ignored',
  ),
  start_domain_monitor: method(
    ['string', 'int'],
    'Watches the whiteboard, as the host with this id.',
    done((hostId) => lock.watch(hostId)),
  ),
  stop_domain_monitor: method(
    ['string'],
    'Ends the watch of the whiteboard.',
    done(() => lock.unwatch()),
  ),
  lock_host_id: method(
    ['string', 'int'],
    'Claims the host id that the broker was configured with.',
    done((hostId) => lock.claim(hostId)),
  ),
  release_host_id: method(
    ['string'],
    'Gives the host id back.',
    done(() => lock.release()),
  ),
  reset_lockspace: method(
    ['string'],
    'Forgets what was claimed and watched.',
    done(() => lock.reset()),
  ),
})

/** What has nothing to tell answers "ok". */
function done<P extends readonly unknown[]>(
  work: (...params: P) => Promise<void> | void,
): (...params: P) => Promise<XmlRpcValue> {
  return async (...params) => {
    await work(...params)
    return 'ok'
  }
}

function hostIdOf(value: XmlRpcValue): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > MAX_HOST_ID)
    throw fault('hostIdOutOfRange', `a host id is a whole number from 1 to ${MAX_HOST_ID}`)
  return value
}

/** What the XML-RPC server calls. */
export const callsOf = (methods: Methods) =>
  Object.fromEntries(Object.entries(methods).map(([name, { call }]: [string, Method]) => [name, call]))
