import { execFile, execFileSync } from 'node:child_process'
import { existsSync, statfsSync } from 'node:fs'
import { promisify } from 'node:util'
import type { VipPlace } from '../../../src/agent/networks/vip-place.js'
import { whenTestEnds } from '../../agent/support/temporary.js'

const NSFS = 0x6e736673
let made = 0
/** Of this process, and never the same again. */
const unique = (): string => `${process.pid.toString(36)}${(++made).toString(36)}`

export const ip = (...args: string[]): string =>
  execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

const quietly = (...args: string[]): void => {
  try {
    ip(...args)
  } catch {
    // it is gone
  }
}

/** The name of a bridge that is not there; what a failing test leaves of it goes. */
export function bridgeName(): string {
  const name = `klt${unique()}`
  endBridge(name)
  return name
}

export const endBridge = (name: string): void => whenTestEnds(async () => quietly('link', 'del', name))

/** What ip(8) tells of it; null: there is none. */
export function interfaceOf(name: string): string | null {
  return existsSync(`/sys/class/net/${name}`) ? ip('link', 'show', name) : null
}

export function namespaceOf(name: string): 'whole' | 'broken' | null {
  const path = `/run/netns/${name}`
  if (!existsSync(path)) return null
  return statfsSync(path).type === NSFS ? 'whole' : 'broken'
}

export interface Client {
  /** Of its namespace. */
  readonly name: string
  /** The end of its cable on the host. */
  readonly uplink: string
  detach(): void
}

/** Another machine, as far as the network can tell: on the bridge, or with its cable lying on the host. */
export function attach(bridge: string | null, address: string): Client {
  const client = connectClient(bridge, address)
  whenTestEnds(async () => client.detach())
  return client
}

/** The same for more than one test. */
export function connectClient(bridge: string | null, address: string): Client {
  const name = `kltc${unique()}`
  const detach = () => {
    // first: a namespace takes its interfaces along when it likes
    quietly('link', 'del', name)
    quietly('netns', 'del', name)
  }
  ip('netns', 'add', name)
  ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
  if (bridge !== null) ip('link', 'set', name, 'master', bridge)
  if (bridge !== null) ip('link', 'set', name, 'up')
  ip('-n', name, 'link', 'set', 'eth0', 'up')
  ip('-n', name, 'addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []))
  return { name, uplink: name, detach }
}

const ask = `
const [address] = process.argv.slice(1)
const socket = require('node:net').connect({ host: address, port: 9 })
const tell = (what) => { console.log(what); process.exit(0) }
socket.on('connect', () => tell('reached'))
socket.on('error', ({ code }) => tell(code === 'ECONNREFUSED' ? 'reached' : 'nobody'))
setTimeout(() => tell('nobody'), 5000)
`

const bind = `
const [address] = process.argv.slice(1)
const server = require('node:net').createServer()
server.on('error', ({ code }) => console.log(code))
server.listen(8080, address, () => { console.log('listens'); server.close() })
`

/** Whether a program in the place could listen there. */
export const listen = ({ enter }: VipPlace, address: string): Promise<string> =>
  said([...enter.slice(1), process.execPath, '-e', bind, '--', address])

/** Whether somebody answers there, even if by saying that nothing listens. */
export const reach = (from: Client, address: string): Promise<string> =>
  said(['netns', 'exec', from.name, process.execPath, '-e', ask, '--', address])

const execute = promisify(execFile)

const said = async (args: readonly string[]): Promise<string> =>
  (await execute('ip', args, { encoding: 'utf8' })).stdout.trim()
