/**
 * Treats the port that agents dial as badly as it can, from a process of its own, so that the trial beside it measures
 * nobody but the engine: as a stranger who has no certificate, and as a host that has one. `node wire-abuser.mjs HOST PORT
 * SEED TIMES IDLE IDENTITY`, where IDENTITY is the file of a host's; prints one line of JSON: what each abuse met.
 */
import { readFileSync } from 'node:fs'
import { connect as connectPlain, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'

const [host, port, seed, times, idleCount, identityFile] = process.argv.slice(2)
const { key, certificate: cert, authorities: ca } = JSON.parse(readFileSync(identityFile, 'utf8'))
const credentials = { key, cert, ca, servername: 'engine.keelson', minVersion: 'TLSv1.3' }
const GIGABYTE = 1024 ** 3
const CUT_OFF_MS = 30_000
const IDLE = Number(idleCount)
/** With a certificate, each of which costs a handshake. */
const IDLE_HOSTS = 300
const SLOW = 100
/** As many as a stranger may say. */
const MERGED = 8

const frame = (packet) => {
  const text = JSON.stringify(packet)
  return `${text.length}#${text}`
}
const beat = (id) => frame({ pattern: { session: 'heartbeat' }, data: { epoch: 1 }, id: String(id) })

let state = Number(seed) >>> 0
const chance = () => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}

const asStranger = () => connectPlain({ host, port: Number(port) })
const asHost = () => connectTls({ ...credentials, host, port: Number(port) })

/** A connection, what came over it, and when it was over. */
class Peer {
  constructor(dial = asHost) {
    this.received = ''
    this.closed = false
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
      this.socket.on(dial === asStranger ? 'connect' : 'secureConnect', () => resolve()),
    )
  }

  async send(bytes) {
    await Promise.race([this.opened, this.over])
    if (!this.closed && !this.socket.write(bytes)) {
      await Promise.race([new Promise((resolve) => this.socket.once('drain', resolve)), this.over])
    }
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

const lies = [
  '999999999#x',
  '9'.repeat(400),
  '#',
  '-1#{}',
  '0#',
  '1e9#{}',
  'abc#{}',
  '5#{"a"',
  '2#{}',
  '4#null',
  '3#"x"',
  '2#[]',
  '17#{"pattern":"\u0000"}',
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000',
  '10#{"id":1}{}{}{}',
  frame({ pattern: { session: 'open' } }),
  frame({ pattern: { session: 'open' }, data: null, id: '1' }),
  frame({ pattern: { session: 'open' }, data: { __proto__: { name: 'x' }, name: ['x'] }, id: '1' }),
  frame({ pattern: '__proto__', data: {}, id: '1' }),
  frame({ pattern: { constructor: 'x' }, data: {}, id: '1' }),
  frame({ pattern: { session: 'heartbeat' }, data: { epoch: 'x' }, id: {} }),
  frame({ id: '1', isDisposed: true }),
  frame({ pattern: { command: 'report' }, data: { epoch: 1, reports: 'x' }, id: '1' }),
]

const junk = () => Uint8Array.from({ length: 4_096 }, () => Math.floor(chance() * 256))

async function cutOffAll(peers) {
  const cut = await Promise.all(peers.map((peer) => peer.cutOff()))
  if (cut.includes(false)) throw new Error(`${cut.filter((was) => !was).length} of ${cut.length} are still open`)
  return `${cut.length} of ${cut.length} cut off`
}

/** What a client of TLS says first. */
function clientHello() {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', (bytes) => {
        socket.destroy()
        server.close()
        resolve(bytes)
      })
    }).listen(0, '127.0.0.1', () => {
      connectTls({ ...credentials, host: '127.0.0.1', port: server.address().port }).on('error', () => {})
    })
  })
}

const abuses = {
  async strangersGarbage() {
    const peers = Array.from({ length: 200 }, () => new Peer(asStranger))
    await Promise.all(peers.map((peer) => peer.send(junk())))
    return cutOffAll(peers)
  },
  async strangersPlainFrames() {
    const peers = lies.map(() => new Peer(asStranger))
    await Promise.all(peers.map((peer, n) => peer.send(lies[n])))
    return cutOffAll(peers)
  },
  async strangersWithoutCertificate() {
    const dial = () => connectTls({ ca, servername: 'engine.keelson', host, port: Number(port) })
    const peers = Array.from({ length: 100 }, () => new Peer(dial))
    await Promise.all(peers.map((peer) => peer.send(beat('nobody'))))
    const met = await cutOffAll(peers)
    if (peers.some((peer) => peer.received !== '')) throw new Error('somebody without a certificate was answered')
    return met
  },
  async strangersGigabyte() {
    const peer = new Peer(asStranger)
    const hello = await clientHello()
    const chunk = Buffer.alloc(1024 * 1024, 0x16)
    await peer.send(hello)
    let bytes = 0
    while (!peer.closed && bytes < GIGABYTE) {
      await peer.send(chunk)
      bytes += chunk.length
    }
    peer.socket.destroy()
    if (bytes >= GIGABYTE) throw new Error('1 GB was swallowed')
    return `cut off after ${Math.round(bytes / 1024 / 1024)} MB`
  },
  strangersIdle: () => cutOffAll(Array.from({ length: IDLE }, () => new Peer(asStranger))),
  async strangersHalfHandshake() {
    const hello = await clientHello()
    const peers = Array.from({ length: 500 }, () => new Peer(asStranger))
    await Promise.all(peers.map((peer) => peer.send(hello)))
    return cutOffAll(peers)
  },
  async strangersSlowHandshake() {
    const hello = await clientHello()
    const peers = Array.from({ length: SLOW }, () => new Peer(asStranger))
    let at = 0
    const sending = setInterval(() => {
      for (const peer of peers) void peer.send(hello.subarray(at, at + 1))
      at += 1
    }, 1_000)
    return cutOffAll(peers).finally(() => clearInterval(sending))
  },
  async garbage() {
    const peers = Array.from({ length: 100 }, () => new Peer())
    await Promise.all(peers.map((peer) => peer.send(junk())))
    return cutOffAll(peers)
  },
  async lies() {
    const cut = await Promise.all(
      lies.map(async (lie) => {
        const peer = new Peer()
        await peer.send(lie)
        return peer.cutOff()
      }),
    )
    return `${cut.filter(Boolean).length} of ${cut.length} cut off`
  },
  async splitAndMerged() {
    const split = new Peer()
    for (const byte of beat('split')) await split.send(byte).then(() => pause(1))
    const merged = new Peer()
    await merged.send(Array.from({ length: MERGED }, (_, n) => beat(n)).join(''))
    const answered = [await split.answers(1), await merged.answers(MERGED)]
    split.socket.destroy()
    merged.socket.destroy()
    if (answered[0] !== 1 || answered[1] !== MERGED)
      throw new Error(`answered ${answered.join(' and ')}, not 1 and ${MERGED}`)
    return `1 of 1 and ${MERGED} of ${MERGED} answered`
  },
  async nonAscii() {
    const fine = new Peer()
    const text = JSON.stringify({ pattern: { session: 'heartbeat' }, data: { epoch: '🚢 ñ 船' }, id: '🚢' })
    await fine.send(`${text.length}#${text}`)
    const answered = await fine.answers(1)
    fine.socket.destroy()
    const wrong = new Peer()
    await wrong.send(`${Buffer.byteLength(text)}#${text}`)
    const broken = new Peer()
    await broken.send(Buffer.concat([Buffer.from('20#{"pattern":"'), Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xa0])]))
    const cut = [await wrong.cutOff(), await broken.cutOff()]
    if (answered !== 1 || cut.includes(false)) throw new Error(`answered ${answered}, cut off ${cut}`)
    return 'answered where the length is right, cut off where it is not'
  },
  async withoutEnd() {
    const sent = []
    for (const start of ['900000#', '', '99999999999#', '1048576#"']) {
      const peer = new Peer()
      const chunk = Buffer.alloc(1024 * 1024, start === '' ? '1' : 'x')
      await peer.send(start || '1')
      let bytes = 0
      while (!peer.closed && bytes < GIGABYTE) {
        await peer.send(chunk)
        bytes += chunk.length
      }
      peer.socket.destroy()
      if (bytes >= GIGABYTE) throw new Error(`1 GB was swallowed after ${JSON.stringify(start)}`)
      sent.push(`${Math.round(bytes / 1024 / 1024)} MB`)
    }
    return `cut off after ${sent.join(', ')}`
  },
  async idle() {
    return cutOffAll(Array.from({ length: IDLE_HOSTS }, () => new Peer()))
  },
  async slow() {
    const peers = Array.from({ length: SLOW }, () => new Peer())
    const text = beat('slow')
    let at = 0
    const sending = setInterval(() => {
      for (const peer of peers) void peer.send(text[at])
      at += 1
    }, 1_000)
    const cut = await Promise.all(peers.map((peer) => peer.cutOff()))
    clearInterval(sending)
    if (cut.includes(false)) throw new Error('a slow sender was left alone')
    return `${cut.length} of ${SLOW} cut off`
  },
  async flood() {
    const peers = Array.from({ length: 20 }, () => new Peer())
    const many = Array.from({ length: 2_000 }, (_, n) => beat(n)).join('')
    for (let round = 0; round < 50; round += 1) await Promise.all(peers.map((peer) => peer.send(many)))
    const cut = await Promise.all(peers.map((peer) => peer.cutOff()))
    return `${cut.filter(Boolean).length} of ${cut.length} cut off`
  },
}

const met = {}
/** Those that are only waited for are waited for together. */
const together = [
  ['strangersGarbage', 'strangersPlainFrames', 'strangersWithoutCertificate'],
  ['strangersGigabyte', 'strangersSlowHandshake'],
  ['strangersIdle', 'strangersHalfHandshake'],
  ['garbage'],
  ['lies', 'slow', 'nonAscii'],
  ['splitAndMerged'],
  ['withoutEnd'],
  ['idle'],
  ['flood'],
]

async function suffer(name) {
  const startedMs = performance.now()
  try {
    met[name] = `${await abuses[name]()}, in ${Math.round(performance.now() - startedMs)} ms`
  } catch (error) {
    met[name] = `FAILED: ${error.message}`
    process.exitCode = 1
  }
}

for (let round = 0; round < Number(times); round += 1) {
  for (const names of together) await Promise.all(names.map(suffer))
}
process.stdout.write(`${JSON.stringify(met)}\n`)
// what still hangs is not waited for
process.exit()
