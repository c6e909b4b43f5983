import { setTimeout as pause } from 'node:timers/promises'
import { lies } from './lies.mjs'
import { beat, cutOffAll, junk, MEGABYTE, Peer, several, told } from './peer.mjs'

/** As many as a stranger may say. */
const MERGED = 8
/** Handshakes under way at once. */
const AT_ONCE = 64
/** As often as is needed: where this process does not get its turn in time, the engine has given up. */
const MOST_DIALLED = 2

/** By who has a certificate of a host, without a session where nothing else is said. */
export const hosts = {
  async garbage() {
    const peers = several(100, () => new Peer())
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
    await merged.send(several(MERGED, (n) => beat(n)).join(''))
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
  async gigabytes() {
    const sent = []
    const withSession = () => Peer.withSession(told.hosts[0])
    const starts = ['900000#', '1', '99999999999#', '1073741824#', '1048576#"']
    for (const dial of [async () => new Peer(), withSession]) {
      for (const start of starts) {
        const peer = await dial()
        await peer.send(start)
        sent.push(await peer.sendWithoutEnd(Buffer.alloc(MEGABYTE, start === '1' ? '1' : 'x')))
      }
    }
    return `cut off after ${sent.map((bytes) => Math.round(bytes / MEGABYTE)).join(', ')} MB`
  },
  /** Each with a finished handshake; the engine decides how many of them it keeps at once. */
  async idle() {
    const peers = []
    let dialled = 0
    const dialUntilEnough = async () => {
      while (peers.length < told.idle && dialled < MOST_DIALLED * told.idle) {
        const peer = new Peer()
        dialled += 1
        await Promise.race([peer.opened, peer.over])
        if (peer.isOpen) peers.push(peer)
      }
    }
    await Promise.all(several(AT_ONCE, dialUntilEnough))
    if (peers.length < told.idle) throw new Error(`only ${peers.length} of ${dialled} finished their handshake`)
    return `${peers.length} of ${dialled} finished their handshake, ${await cutOffAll(peers)}`
  },
  async flood() {
    const peers = several(20, () => new Peer())
    const many = several(2_000, (n) => beat(n)).join('')
    for (let round = 0; round < 50; round += 1) await Promise.all(peers.map((peer) => peer.send(many)))
    return cutOffAll(peers)
  },
}
