import { networkInterfaces } from 'node:os'
import type { VipIntent } from '../../wire/balancing/intent.js'
import { FaultError } from '../fault.js'
import type { Ip } from './ip.js'
import type { PlaceRecord, PlaceRecords } from './place-records.js'

const GONE = /address not found|Cannot assign requested address/i

/**
 * VIPs of networks without a bridge: addresses of the host itself. One that the host has not is added to its loopback interface,
 * and taken away again; one that it had is its own, and stays whatever becomes of the balancer.
 */
export class OwnAddresses {
  constructor(
    private readonly ip: Ip,
    private readonly records: PlaceRecords,
    private readonly isRoot: boolean,
  ) {}

  async ensure(name: string, id: string, vip: VipIntent): Promise<void> {
    const before = await this.records.read(name)
    const ours = before?.added === true && before.vip.address === vip.address
    const isThere = hasAddress(vip.address)
    if (!isThere && !this.isRoot) {
      const message = `${vip.address} is no address of this host, and this agent runs without root and cannot add it`
      throw new FaultError('permission', message)
    }
    await this.records.write(name, { id, vip, added: ours || !isThere })
    // replaced: it may be on an interface that is down, or on this one since a moment ago
    if (!isThere) await this.ip.change(['addr', 'replace', whole(vip.address), 'dev', 'lo'])
  }

  async takeDown({ vip, added }: PlaceRecord): Promise<void> {
    if (added) await this.ip.change(['addr', 'del', whole(vip.address), 'dev', 'lo'], GONE)
  }
}

const whole = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`

function hasAddress(address: string): boolean {
  if (address.startsWith('127.')) return true
  return Object.values(networkInterfaces()).some((all) => all?.some((one) => one.address === address))
}
