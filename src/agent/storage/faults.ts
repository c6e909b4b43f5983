import type { Fault } from '../../wire/session.js'
import { FaultError, makeFault } from '../fault.js'

/** Storage's faults with VDSM's numbers beside them. */
export const badArguments = (message: string) => new FaultError('bad-arguments', message, 453)
export const connectFailed = (message: string) => new FaultError('connect', message, 451)
export const disconnectFailed = (message: string) => new FaultError('disconnect', message, 452)
export const mountFailed = (message: string) => new FaultError('mount', message, 477)
export const notPermitted = (message: string) => new FaultError('permission', message, 469)
export const idInUse = (connectionId: string) =>
  new FaultError('id-in-use', `${connectionId} is in use with other arguments`, 478)
/** Neither who holds it nor how: that may be another project's, and whoever asked reads this. */
export const optionsConflict = (target: string, differing: readonly string[]) =>
  new FaultError(
    'options-conflict',
    `${target} is held by another id of this host with other options: ${differing.join(', ')} differ${differing.length === 1 ? 's' : ''}`,
    453,
  )
export const unsupported = (message: string) => new FaultError('unsupported', message, 100)
export const credentialsLost = (fields: readonly string[]) =>
  new FaultError(
    'credentials-lost',
    `${fields.join(', ')} cannot be opened any more, and must be given again: the plane does that by itself`,
    100,
  )
export const leftAsItIs = (target: string) =>
  new FaultError('preexisting', `${target} was connected before this agent managed it, and is left as it is`)
export const notRegistered = (connectionId: string) =>
  new FaultError('not-registered', `no storage connection ${connectionId} is managed on this host`, 479)

/** What is of no use, and cannot be let go of to be connected anew: the reason stays what it is. */
export const whyNotAnew = ({ type, message, number }: Fault, hindrance: Fault): Fault =>
  makeFault(type, `${message}; it cannot be connected anew: ${hindrance.message}`, number)

/** The same, and why it could not be mended: a look that finds it as it was does not take that back. */
export const saysMore = (shown: { status: string; fault: Fault | null }, { type, message }: Fault): boolean =>
  shown.status === 'DOWN' && shown.fault?.type === type && shown.fault.message.startsWith(`${message};`)

/** What the words of mount(8), its helpers and the kernel mean, in VDSM's numbers; what is not known is `mount`. */
const meanings: readonly (readonly [words: RegExp, type: string, number: number])[] = [
  [/stale (nfs )?file handle/i, 'stale', 384],
  // of a monitor that a key, or none, does not satisfy; the client goes on to say that it could not fetch its configuration
  [/handle_auth_bad_method/, 'authentication', 476],
  [/permission denied|access denied|operation not permitted/i, 'permission', 469],
  [
    /connection (refused|timed out|reset)|timed out while|no route to host|(network|host) is unreachable|host is down|not connected|input\/output error|name or service not known|temporary failure in name resolution|failed to resolve|dns resolution failed|failed to fetch mon config/i,
    'connect',
    451,
  ],
]

export function mountFaultOf(words: string): FaultError {
  const [, type, number] = meanings.find(([known]) => known.test(words)) ?? []
  return type === undefined ? mountFailed(words) : new FaultError(type, words, number)
}

/** A child of a step or a probe hangs and cannot be killed; `ended` resolves when it goes after all. */
export class StuckError extends FaultError {
  constructor(
    message: string,
    readonly ended: Promise<void>,
  ) {
    super('stuck', message, 100)
    this.name = 'StuckError'
  }
}

/** A probe hangs: nothing comes of it, and it need not be waited for. */
export class StuckProbe extends StuckError {
  constructor({ message, ended }: StuckError) {
    super(message, ended)
    this.name = 'StuckProbe'
  }
}
