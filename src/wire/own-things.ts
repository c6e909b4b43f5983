/**
 * Nouns of what hosts have of themselves: nobody in the plane asked for it, and nobody there has a say in it. Such an item
 * has `origin: 'host'`; inventory and observations tell of it whole, in `detail`.
 */

/** A storage connection that a program on the host asked for: its ids and the plane's are two namespaces. */
export const HOST_CONNECTION = 'host-storage-connection'
/** A connection that the host's kernel shows and no id holds; its id lasts as long as it does. */
export const SIGHTED_CONNECTION = 'sighted-storage-connection'

/** Most of each of these nouns that a host tells of, and that the plane keeps of one host. */
export const MAX_OWN_THINGS = 1000

/** How many sighted connections are more than that: one item, while there are. `detail` is an `UntoldDetail`. */
export const UNTOLD_CONNECTIONS = 'untold-storage-connections'

export interface UntoldDetail {
  readonly count: number
}

/** `detail` of connections, beside `origin` and status. Never a secret. */
export interface OwnConnectionDetail {
  readonly uri: string
  /** The actual target, equal for every spelling of it. */
  readonly target: string
  readonly options: Readonly<Record<string, string>>
  /** Where the kernel has it mounted, as far as that is known. */
  readonly mountPoint: string | null
  /** It was connected before its first id, and is never disconnected (S10). Left out by older agents. */
  readonly preexisting?: boolean
  /** No id holds it any more, and the host is disconnecting it (S5). Left out by older agents. */
  readonly leaving?: boolean
}
