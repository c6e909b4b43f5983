import type { BalancerDriver, Progress } from '../../agent/balancing/driver.js'
import { FaultError } from '../../agent/fault.js'
import type { HostFaults } from '../host-faults.js'
import { SimulatedDevice } from './device.js'
import { checkedBy } from './host-driver.js'
import { sightingOf } from './seen.js'
import { troubled } from './trouble.js'

const DONE_AFTER_MS = 50

interface Order {
  readonly effect: () => void
  fault: FaultError | null
  done: boolean
}

/**
 * A sealed load balancer beside the hosts, that some of them reach (L7): one object for all hosts of a simulation. It takes
 * orders and is done with each a little later, and it serves one agent at a time: the one that came with the highest epoch.
 */
export class Appliance {
  readonly device = new SimulatedDevice()
  private epoch = 0
  private inCharge: string | null = null
  private readonly orders = new Map<string, Order>()

  constructor(
    readonly name: string,
    private readonly doneAfterMs = DONE_AFTER_MS,
  ) {}

  /** As the agent of one host reaches it. */
  driverOf(hostName: string, faults: HostFaults): BalancerDriver {
    const { device } = this
    let lastEpoch = 0
    const admit = (epoch = lastEpoch) => {
      lastEpoch = Math.max(lastEpoch, epoch)
      this.admit(hostName, epoch)
    }
    return {
      obstacle: async () => null,
      apply: async (wanted, signal) => {
        admit(wanted.deviceEpoch)
        await troubled(faults, 'balancing.apply', signal, () =>
          this.order(wanted.balancer.id, () => device.take(wanted)),
        )
        return 'PENDING'
      },
      progress: async (id) => {
        admit()
        return this.progressOf(id)
      },
      remove: async (id, signal, epoch) => {
        admit(epoch)
        await troubled(faults, 'balancing.remove', signal, () => this.order(id, () => device.drop(id)))
        return 'PENDING'
      },
      check: async (wanted) => checkedBy(device, wanted),
      observe: async ({ balancer, deviceEpoch }) => {
        admit(deviceEpoch)
        const there = device.get(balancer.id)
        return there === undefined ? null : sightingOf(there.balancer)
      },
      list: async () => (this.inCharge === hostName ? device.ids : []),
    }
  }

  private admit(hostName: string, epoch: number): void {
    if (epoch > this.epoch) {
      this.epoch = epoch
      this.inCharge = hostName
    } else if (epoch < this.epoch || hostName !== this.inCharge) {
      const holder = this.inCharge ?? 'nobody'
      throw new FaultError('fenced', `appliance ${this.name} is in the hands of ${holder}, at epoch ${this.epoch}`)
    }
  }

  /** The newest order of a balancer replaces one that is not done yet. */
  private order(id: string, effect: () => void): void {
    const order: Order = { effect, fault: null, done: false }
    this.orders.set(id, order)
    setTimeout(() => {
      if (this.orders.get(id) === order) carryOut(order)
    }, this.doneAfterMs).unref()
  }

  private progressOf(id: string): Progress {
    const order = this.orders.get(id)
    if (order === undefined) return 'COMPLETED'
    if (!order.done) return 'PENDING'
    this.orders.delete(id)
    if (order.fault !== null) throw order.fault
    return 'COMPLETED'
  }
}

function carryOut(order: Order): void {
  order.done = true
  try {
    order.effect()
  } catch (error) {
    // the device's words for whoever asks; it throws nothing else
    order.fault = error as FaultError
  }
}
