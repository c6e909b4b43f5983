import { balancingCapability, type Provider } from '../../wire/balancing/providers.js'
import { FaultError } from '../fault.js'
import type { BalancerDriver } from './driver.js'

/** The name of the device that is the host itself. */
export const HOST_DEVICE = 'host'

/** One provider on one device that this agent reaches: the host itself, or an appliance (L7). */
export interface BalancingDevice {
  /** `host`, or the appliance's own. */
  readonly name: string
  readonly provider: Provider
  readonly driver: BalancerDriver
}

/** What a host tells the plane that it can do: an appliance is reached from more than one of them. */
export const deviceCapability = ({ name, provider }: Pick<BalancingDevice, 'name' | 'provider'>): string =>
  name === HOST_DEVICE ? balancingCapability(provider) : `balancing-device:${name}:${provider}`

/** @throws FaultError where this agent does not reach it */
export function requireDriver(devices: readonly BalancingDevice[], provider: Provider, name: string): BalancerDriver {
  const device = devices.find((known) => known.name === name && known.provider === provider)
  if (device === undefined)
    throw new FaultError('balancing.no-driver', `this agent reaches no ${provider} on device ${name}`)
  return device.driver
}
