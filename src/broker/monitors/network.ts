import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { float, type MonitorTools, type MonitorType, type Options, truth } from './monitor.js'

const TRIES = 5
const TRY_MS = 2_000
const NAME = /^[\w.:%-]{1,255}$/
const INTERFACE = /^[^\s/]{1,15}$/

type Test = 'ping' | 'dns' | 'tcp' | 'none'

/** One try; false where the network did not carry it. */
type Try = (options: Options, tools: MonitorTools, signal: AbortSignal) => Promise<boolean>

const tries: Readonly<Record<Test, Try>> = {
  ping: async ({ addr }, { run }, signal) => {
    const args = ['-c', '1', '-W', String(TRY_MS / 1000), '--', needed(addr, 'addr')]
    const result = await run('ping', args, { deadlineMs: TRY_MS + 1_000, signal })
    if (result.outcome === 'not-started') throw new Error(`ping: ${result.error.message}`)
    return result.outcome === 'exited' && result.code === 0
  },
  dns: async (_, __, signal) => {
    const resolver = new Resolver({ timeout: TRY_MS, tries: 1 })
    signal.addEventListener('abort', () => resolver.cancel(), { once: true })
    // the root's name servers: what every resolver knows
    return resolver.resolve('.', 'NS').then(
      () => true,
      () => false,
    )
  },
  tcp: ({ tcp_t_address: host, tcp_t_port: port }, _, signal) =>
    new Promise((resolve) => {
      const socket = connect({ host: needed(host, 'tcp_t_address'), port: Number(needed(port, 'tcp_t_port')), signal })
      const end = (isThere: boolean) => {
        socket.destroy()
        resolve(isThere)
      }
      socket.setTimeout(TRY_MS, () => end(false))
      socket.once('connect', () => end(true)).once('error', () => end(false))
    }),
  none: async () => true,
}

/** Fraction of five tries that came through. */
export const network: MonitorType = {
  options: {
    network_test: { pattern: /^(ping|dns|tcp|none)$/ },
    addr: { pattern: NAME },
    tcp_t_address: { pattern: NAME },
    tcp_t_port: { pattern: /^[1-9]\d{0,4}$/ },
  },
  start: (options, tools) => {
    // the original's default
    const carry = tries[(options.network_test as Test | undefined) ?? 'dns']
    return async (signal) => {
      const carried = await Promise.all(Array.from({ length: TRIES }, () => carry(options, tools, signal)))
      return float(carried.filter(Boolean).length / TRIES)
    }
  },
}

/** A bridge that is not there is unknown, and not up. */
export const mgmtBridge: MonitorType = {
  options: { address: {}, use_ssl: {}, bridge_name: { isRequired: true, pattern: INTERFACE } },
  start:
    ({ bridge_name: name }) =>
    async () => {
      const at = `/sys/class/net/${needed(name, 'bridge_name')}`
      const flags = Number(await readFile(`${at}/flags`, 'utf8'))
      const state = (await readFile(`${at}/operstate`, 'utf8')).trim()
      // a bridge without ports that is set up says "down" or "unknown"; IFF_UP alone would call a dead link up
      return truth((flags & 1) === 1 && (state === 'up' || state === 'unknown'))
    },
}

function needed(value: string | undefined, name: string): string {
  if (value === undefined || value === '') throw new Error(`the option ${name} is missing`)
  return value
}
