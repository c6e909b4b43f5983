import type { EngineAddress } from './config.js'

const MAX_LEARNED = 32
const HOST_PORT = /^(?:\[(?<v6>[0-9a-fA-F:.%]+)\]|(?<host>[^\s:[\]/]+)):(?<port>\d{1,5})$/

export const formatAddress = ({ host, port }: EngineAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** @returns null for what is not `host:port` or `[v6]:port`. */
export function parseAddress(text: string): EngineAddress | null {
  const parts = HOST_PORT.exec(text)?.groups
  const port = Number(parts?.port)
  const host = parts?.v6 ?? parts?.host
  return host === undefined || port < 1 || port > 65_535 ? null : { host, port }
}

/**
 * Every address at which a replica may answer, tried one after the other: the configured ones and those that the last
 * welcome told of, and only when none of these answers, those that earlier ones did.
 */
export class AddressBook {
  private readonly configured: ReadonlyMap<string, EngineAddress>
  private learnt: Map<string, EngineAddress>
  /** By the last welcome; none before the first one of this life. */
  private told: ReadonlySet<string> = new Set()
  private last = ''
  /** What is still to be tried before all are tried anew. */
  private round: string[] = []

  constructor(configured: readonly EngineAddress[], learned: readonly string[] = []) {
    this.configured = new Map(configured.map((address) => [formatAddress(address), address]))
    this.learnt = parsed(learned)
  }

  get all(): readonly string[] {
    return [...new Map([...this.configured, ...this.learnt]).keys()]
  }

  /** Those that welcomes told of, newest first. */
  get learned(): readonly string[] {
    return [...this.learnt.keys()]
  }

  /** The one behind the last, also where the list has grown since; after a welcome, a new round begins there. */
  next(): EngineAddress {
    if (this.round.length === 0) this.round = this.newRound()
    this.last = this.round.shift()!
    return this.configured.get(this.last) ?? this.learnt.get(this.last)!
  }

  /** @returns whether it was news. */
  learn(addresses: readonly string[]): boolean {
    const told = parsed(addresses)
    const next = new Map([...new Map([...told, ...this.learnt])].slice(0, MAX_LEARNED))
    const changed = next.size !== this.learnt.size || [...next.keys()].some((address) => !this.learnt.has(address))
    if (changed) this.learnt = next
    this.told = new Set(told.keys())
    this.round = []
    return changed
  }

  /**
   * No session came of it: a learned one of which the last welcome says nothing is given up.
   * @returns whether there are fewer now.
   */
  failed(address: EngineAddress): boolean {
    const key = formatAddress(address)
    // Without a welcome nobody knows which of them are out of date.
    return this.told.size > 0 && !this.told.has(key) && this.learnt.delete(key)
  }

  private newRound(): string[] {
    const { all } = this
    const first = all.filter((address) => this.configured.has(address) || this.told.has(address))
    const behindLast = first.indexOf(this.last) + 1
    const others = all.filter((address) => !first.includes(address))
    return [...first.slice(behindLast), ...first.slice(0, behindLast), ...others]
  }
}

/** What is no address is left out: it came over the wire, or from a file. */
function parsed(addresses: readonly string[]): Map<string, EngineAddress> {
  const found = new Map<string, EngineAddress>()
  for (const text of addresses) {
    const address = typeof text === 'string' ? parseAddress(text) : null
    if (address !== null) found.set(formatAddress(address), address)
  }
  return found
}
