import { FaultError } from '../fault.js'
import { HOST_DEVICE } from './devices.js'
import type { WantedBalancer } from './driver.js'
import type { Version } from './state.js'

export const wantedOf = ({ generation, balancer, keys, device }: Version): WantedBalancer => ({
  generation,
  balancer,
  keys,
  deviceEpoch: device.epoch,
})

/** Its VIP is on a bridge of this host. */
export const isOnNetwork = (version: Version | null): boolean =>
  version !== null && version.device.name === HOST_DEVICE && version.balancer.vip.network.bridge !== null

export const samePlace = (a: Pick<Version, 'provider' | 'device'>, b: Pick<Version, 'provider' | 'device'>): boolean =>
  a.provider === b.provider && a.device.name === b.device.name

/** Another agent is in charge of the device by now. */
export const isFenced = (error: unknown): boolean => error instanceof FaultError && error.type === 'fenced'
