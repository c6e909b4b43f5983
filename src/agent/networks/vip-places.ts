import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { VipIntent } from '../../wire/balancing/intent.js'
import { FaultError } from '../fault.js'
import type { Run } from '../host/run.js'
import { Turns } from '../turns.js'
import { BridgedPlaces, type BridgedVip } from './bridged-places.js'
import { Ip } from './ip.js'
import { OwnAddresses } from './own-addresses.js'
import { PlaceRecords } from './place-records.js'
import type { VipPlace, VipPlaces } from './vip-place.js'

const PREFIX = 'kl-'
const PROBE_MS = 50
const PATIENCE_MS = 3_000

export interface VipPlacesOptions {
  readonly run: Run
  readonly stateDir: string
  readonly isRoot?: boolean
  /**
   * An address that somebody else on the network answers for is asked for again for a while, and then refused: never may a VIP
   * be up twice. On a network of our own an answer takes a few milliseconds; one that comes later than this is not heard. Not
   * of IPv6, where the kernel asks, nor where there is no arping.
   */
  readonly probeMs?: number
  readonly patienceMs?: number
}

/** The places of VIPs on this host. What is asked of one balancer is done in turn; of several, side by side. */
export function createVipPlaces(options: VipPlacesOptions): VipPlaces {
  const { run, stateDir, isRoot = process.getuid?.() === 0, probeMs = PROBE_MS, patienceMs = PATIENCE_MS } = options
  const directory = join(stateDir, 'networks')
  const ip = new Ip(run, directory)
  const records = new PlaceRecords(directory)
  const own = new OwnAddresses(ip, records, isRoot)
  const bridged = new BridgedPlaces(run, ip, { probeMs, patienceMs })
  const turns = new Turns()
  const ready = () => mkdir(directory, { recursive: true, mode: 0o700 })

  const takeDown = async (name: string): Promise<void> => {
    await ready()
    const record = await records.read(name)
    if (record?.vip.network.bridge === null) await own.takeDown(record)
    else await bridged.takeDown(name)
  }

  const renew = async (name: string): Promise<boolean> => {
    const record = await records.read(name)
    if (record === null) return false
    return isBridged(record.vip) ? bridged.renew(name, record.vip) : true
  }

  const remove = async (name: string): Promise<void> => {
    await ready()
    const record = await records.read(name)
    if (record) await own.takeDown(record)
    await bridged.remove(name, record?.vip.network.bridge ?? null)
    await records.remove(name)
  }

  const ensure = async (name: string, id: string, vip: VipIntent): Promise<VipPlace> => {
    await ready()
    const before = await records.read(name)
    // what is of another network, or was the host's own, is none of this place
    if (before !== null && !samePlace(before.vip, vip)) await remove(name)
    if (!isBridged(vip)) {
      await own.ensure(name, id, vip)
      return { namespace: null, enter: [] }
    }
    if (!isRoot)
      throw new FaultError('permission', `network ${vip.network.id} has a bridge, and this agent runs without root`)
    await records.write(name, { id, vip, added: false })
    await bridged.ensure(name, id, vip)
    return { namespace: name, enter: ['ip', 'netns', 'exec', name] }
  }

  return {
    ensure: (id, vip) => turns.take(id, () => ensure(placeName(id), id, vip)),
    takeDown: (id) => turns.take(id, () => takeDown(placeName(id))),
    remove: (id) => turns.take(id, () => remove(placeName(id))),
    lastFor: (lifeMs) => bridged.lastFor(lifeMs),
    renew: (id) => turns.take(id, () => renew(placeName(id))),
    list: async () => [...new Set([...(await records.ids()), ...(await bridged.ids(PREFIX))])].sort(),
  }
}

/** Of the id, as an interface may be called: 15 characters, of which 11 of a random id tell enough. */
const placeName = (id: string): string => `${PREFIX}${id.replace(/[^a-zA-Z0-9]/g, '').slice(0, 11)}`

const isBridged = (vip: VipIntent): vip is BridgedVip => vip.network.bridge !== null

const samePlace = (before: VipIntent, vip: VipIntent): boolean =>
  before.network.bridge === vip.network.bridge && (isBridged(vip) || before.address === vip.address)
