import { Duplex } from 'node:stream'
import { asHost, asStranger, beat, clientHello, cutOffAll, open, Peer, several, told } from './peer.mjs'

const EVERY_MS = 1_000
const SLOW = 100

/** A byte a second of each, until all of them are over. */
async function trickle(peers, text) {
  let at = 0
  const sending = setInterval(() => {
    for (const peer of peers) if (at < text.length) void peer.send(text.slice(at, at + 1))
    at += 1
  }, EVERY_MS)
  return cutOffAll(peers).finally(() => clearInterval(sending))
}

/** A connection over which the first thing goes as it is, and all that follows a byte a second. */
class Trickling extends Duplex {
  constructor() {
    super()
    this.socket = asStranger()
    this.waiting = null
    this.sending = setInterval(() => {
      if (!this.waiting?.length) return
      this.socket.write(this.waiting.subarray(0, 1))
      this.waiting = this.waiting.subarray(1)
    }, EVERY_MS)
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk) => this.push(chunk))
    this.socket.on('close', () => {
      clearInterval(this.sending)
      this.destroy()
    })
  }

  _read() {}

  _write(chunk, _encoding, done) {
    if (this.waiting === null) {
      this.waiting = Buffer.alloc(0)
      this.socket.write(chunk)
    } else this.waiting = Buffer.concat([this.waiting, chunk])
    done()
  }

  _destroy(error, done) {
    this.socket.destroy()
    done(error)
  }
}

/** One byte a second, wherever it may be sent. */
export const slow = {
  slowBeforeTls: async () =>
    trickle(
      several(SLOW, () => new Peer(asStranger)),
      await clientHello(),
    ),
  /** What a client says first goes at once, its certificate does not. */
  slowHandshake: () => cutOffAll(several(SLOW, () => new Peer(() => asHost(undefined, new Trickling())))),
  slowFirstFrame: () =>
    trickle(
      several(SLOW, () => new Peer()),
      open(told.hosts[0].hello),
    ),
  async slowAfterHello() {
    const peers = await Promise.all(told.hosts.map((host) => Peer.withSession(host)))
    return trickle(peers, beat('slow'))
  },
}
