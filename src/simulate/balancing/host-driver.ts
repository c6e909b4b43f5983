import type { BalancerDriver, WantedBalancer } from '../../agent/balancing/driver.js'
import type { VipPlaces } from '../../agent/networks/vip-place.js'
import type { BalancingChecked } from '../../wire/balancing/commands.js'
import type { HostFaults } from '../host-faults.js'
import type { SimulatedDevice } from './device.js'
import { sightingOf } from './seen.js'
import { troubled } from './trouble.js'

/** Answers when it is done, as the drivers of programs do. */
export function simulatedHostDriver(device: SimulatedDevice, faults: HostFaults): BalancerDriver {
  return {
    obstacle: async () => null,
    apply: async (wanted, signal) => {
      await troubled(faults, 'balancing.apply', signal, () => device.take(wanted))
      return 'COMPLETED'
    },
    progress: async () => 'COMPLETED',
    remove: async (id, signal) => {
      await troubled(faults, 'balancing.remove', signal, () => device.drop(id))
      return 'COMPLETED'
    },
    check: async (wanted) => checkedBy(device, wanted),
    observe: async ({ balancer }) => {
      const there = device.get(balancer.id)
      return there === undefined ? null : sightingOf(there.balancer)
    },
    list: async () => device.ids,
  }
}

/** VIPs that are names in a set. */
export function simulatedPlaces(device: SimulatedDevice): VipPlaces {
  return {
    ensure: async () => ({ namespace: null, enter: [] }),
    takeDown: async (id) => device.takeDown(id),
    lastFor: () => undefined,
    renew: async (id) => device.isUp(id),
    remove: async (id) => device.takeDown(id),
    list: async () => device.ids.filter((id) => device.isUp(id)),
  }
}

export function checkedBy(device: SimulatedDevice, wanted: WantedBalancer): BalancingChecked {
  const words = device.refusal(wanted)
  const current = device.get(wanted.balancer.id)
  return {
    accepted: words === null,
    words: words ?? '',
    current: current ? shown(current) : null,
    planned: shown(wanted),
  }
}

const shown = ({ balancer }: WantedBalancer): string => `${JSON.stringify(balancer, null, 1)}\n`
