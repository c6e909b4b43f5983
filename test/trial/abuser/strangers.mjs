import { lies } from './lies.mjs'
import {
  asStranger,
  beat,
  clientHello,
  cutOffAll,
  junk,
  MEGABYTE,
  Peer,
  several,
  told,
  withoutCertificate,
} from './peer.mjs'

/** Connections that are being made. */
const AT_ONCE = 200

/** By who has no certificate of a host. */
export const strangers = {
  async strangersGarbage() {
    const peers = several(200, () => new Peer(asStranger))
    await Promise.all(peers.map((peer) => peer.send(junk())))
    return cutOffAll(peers)
  },
  async strangersPlainFrames() {
    const peers = lies.map(() => new Peer(asStranger))
    await Promise.all(peers.map((peer, n) => peer.send(lies[n])))
    return cutOffAll(peers)
  },
  async strangersWithoutCertificate() {
    const peers = several(100, () => new Peer(withoutCertificate))
    await Promise.all(peers.map((peer) => peer.send(beat('nobody'))))
    const met = await cutOffAll(peers)
    if (peers.some((peer) => peer.received !== '')) throw new Error('somebody without a certificate was answered')
    return met
  },
  async strangersGigabyte() {
    const peer = new Peer(asStranger)
    await peer.send(await clientHello())
    const bytes = await peer.sendWithoutEnd(Buffer.alloc(MEGABYTE, 0x16))
    return `cut off after ${Math.round(bytes / MEGABYTE)} MB`
  },
  async strangersIdle() {
    const peers = []
    // more at once than fit into the kernel's line are never heard of again: nobody's connections
    while (peers.length < told.idle) {
      const next = several(AT_ONCE, () => new Peer(asStranger))
      peers.push(...next)
      await Promise.all(next.map(({ opened }) => opened))
    }
    return cutOffAll(peers)
  },
  async strangersHalfHandshake() {
    const hello = await clientHello()
    const peers = several(500, () => new Peer(asStranger))
    await Promise.all(peers.map((peer) => peer.send(hello)))
    return cutOffAll(peers)
  },
}
