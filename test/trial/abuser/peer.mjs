import { readFileSync } from 'node:fs'
import { connect as connectPlain, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'

const [host, port, seed, rounds, idle, identitiesFile] = process.argv.slice(2)
/** `many` is an identity without a session, `hosts` are identities that each have a hello to say. */
const { many, hosts } = JSON.parse(readFileSync(identitiesFile, 'utf8'))
const CUT_OFF_MS = 45_000

export const told = { seed: Number(seed), rounds: Number(rounds), idle: Number(idle), hosts }
export const GIGABYTE = 1024 ** 3
export const MEGABYTE = 1024 ** 2

const engine = { host, port: Number(port) }
const secure = { servername: 'engine.keelson', minVersion: 'TLSv1.3' }
const credentialsOf = ({ key, certificate: cert, authorities: ca }) => ({ ...secure, key, cert, ca })

export const asStranger = () => connectPlain(engine)
export const withoutCertificate = () => connectTls({ ...secure, ca: many.authorities, ...engine })
/** @param over a stream in the place of a connection of its own */
export const asHost = (identity = many, over = undefined) =>
  connectTls({ ...credentialsOf(identity), ...(over ? { socket: over } : engine) })

export const frame = (packet) => {
  const text = JSON.stringify(packet)
  return `${text.length}#${text}`
}
export const beat = (id) => frame({ pattern: { session: 'heartbeat' }, data: { epoch: 1 }, id: String(id) })
export const open = (hello) => frame({ pattern: { session: 'open' }, data: hello, id: 'open' })

/** A connection, what came over it, and when it was over. */
export class Peer {
  constructor(dial = asHost) {
    this.received = ''
    this.closed = false
    this.isOpen = false
    this.socket = dial()
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk) => {
      this.received += chunk
    })
    this.over = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.closed = true
        resolve(true)
      })
    })
    this.opened = new Promise((resolve) =>
      this.socket.on(dial === asStranger ? 'connect' : 'secureConnect', () => {
        this.isOpen = true
        resolve()
      }),
    )
  }

  /** With a session, as a good host has one. */
  static async withSession({ identity, hello }) {
    const peer = new Peer(() => asHost(identity))
    await peer.send(open(hello))
    const until = performance.now() + 10_000
    while (!peer.received.includes('"welcome"')) {
      if (peer.closed || performance.now() > until) throw new Error(`no welcome: ${peer.received.slice(0, 200)}`)
      await pause(20)
    }
    return peer
  }

  async send(bytes) {
    await Promise.race([this.opened, this.over])
    if (!this.closed && !this.socket.write(bytes)) {
      await Promise.race([new Promise((resolve) => this.socket.once('drain', resolve)), this.over])
    }
  }

  /** @returns how many bytes were taken before it was cut off, or a gigabyte */
  async sendWithoutEnd(chunk) {
    let bytes = 0
    while (!this.closed && bytes < GIGABYTE) {
      await this.send(chunk)
      bytes += chunk.length
    }
    this.socket.destroy()
    if (bytes >= GIGABYTE) throw new Error('1 GB was swallowed')
    return bytes
  }

  /** True when the engine ended it in time. */
  async cutOff(withinMs = CUT_OFF_MS) {
    const late = new AbortController()
    const cut = await Promise.race([this.over, pause(withinMs, false, { signal: late.signal }).catch(() => false)])
    late.abort()
    this.socket.destroy()
    return cut
  }

  async answers(count, withinMs = 5_000) {
    const until = performance.now() + withinMs
    while (this.count() < count && performance.now() < until) await pause(20)
    return this.count()
  }

  count() {
    return this.received.split('"id":').length - 1
  }
}

export const several = (count, make) => Array.from({ length: count }, (_, index) => make(index))

export async function cutOffAll(peers) {
  const cut = await Promise.all(peers.map((peer) => peer.cutOff()))
  if (cut.includes(false)) throw new Error(`${cut.filter((was) => !was).length} of ${cut.length} are still open`)
  return `${cut.length} of ${cut.length} cut off`
}

let state = told.seed >>> 0
export const chance = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}
export const junk = () => Uint8Array.from({ length: 4_096 }, () => Math.floor(chance() * 256))

/** What a client of TLS says first. */
export function clientHello() {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (bytes) => {
        socket.destroy()
        server.close()
        resolve(bytes)
      })
    }).listen(0, '127.0.0.1', () => {
      const client = connectTls({ ...credentialsOf(many), host: '127.0.0.1', port: server.address().port })
      client.on('error', () => {})
    })
  })
}
