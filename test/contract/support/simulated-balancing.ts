import { HOST_DEVICE } from '../../../src/agent/balancing/devices.js'
import type { BalancerDriver } from '../../../src/agent/balancing/driver.js'
import { Appliance } from '../../../src/simulate/balancing/appliance.js'
import { SimulatedDevice } from '../../../src/simulate/balancing/device.js'
import { simulatedHostDriver, simulatedPlaces } from '../../../src/simulate/balancing/host-driver.js'
import { HostFaults } from '../../../src/simulate/host-faults.js'
import { quietScenario } from '../../../src/simulate/scenario.js'
import { Statistics } from '../../../src/simulate/statistics.js'
import type { LoadBalancerIntent } from '../../../src/wire/balancing/intent.js'
import { balancerIntent, memberIntent } from '../../agent/support/balancing.js'
import { Gate } from '../../agent/support/gate.js'
import { temporaryDirectory } from '../../agent/support/temporary.js'
import type { BalancingSubject } from './balancing-subject.js'

const ports = { one: 8001, two: 8002 }

/** The device of a simulated host, which answers when it is done. */
export async function simulatedHost(): Promise<BalancingSubject> {
  const device = new SimulatedDevice()
  return subjectOf(HOST_DEVICE, device, () => simulatedHostDriver(device, noFaults()))
}

/** An appliance beside the hosts, which is done later. */
export async function simulatedAppliance(): Promise<BalancingSubject> {
  const appliance = new Appliance('lb1')
  return subjectOf('lb1', appliance.device, () => appliance.driverOf('sim-1', noFaults()))
}

async function subjectOf(
  name: string,
  device: SimulatedDevice,
  makeDriver: () => BalancerDriver,
): Promise<BalancingSubject> {
  return {
    provider: 'simulated',
    device: name,
    stateDir: await temporaryDirectory(),
    open: async (stopAt) => {
      const halt = new Gate()
      const driver = stopAt === null ? makeDriver() : halting(makeDriver(), stopAt, halt)
      return {
        devices: [{ name, provider: 'simulated', driver }],
        places: simulatedPlaces(device),
        halted: halt.passed,
      }
    },
    leadingTo: (member, like) => leadingTo(like ?? balancerIntent(), ports[member]),
    ask: async ({ id }) => {
      const there = device.isUp(id) ? device.get(id) : undefined
      const port = there?.balancer.pools[0]?.members[0]?.port
      return port === ports.one ? 'one' : port === ports.two ? 'two' : null
    },
    close: async () => undefined,
  }
}

function leadingTo(balancer: LoadBalancerIntent, port: number): LoadBalancerIntent {
  const [pool, ...others] = balancer.pools
  return { ...balancer, pools: [{ ...pool!, members: [memberIntent({ port })] }, ...others] }
}

/** Its steps: before the device is told, and after that. */
function halting(driver: BalancerDriver, stopAt: number, halt: Gate): BalancerDriver {
  const stop = () => {
    halt.open()
    return new Promise<never>(() => undefined)
  }
  return {
    ...driver,
    apply: async (wanted, signal) => {
      if (stopAt === 0) return stop()
      await driver.apply(wanted, signal)
      return stop()
    },
  }
}

const noFaults = (): HostFaults =>
  new HostFaults({
    scenario: quietScenario,
    seed: 1,
    hostName: 'sim-1',
    statistics: new Statistics(),
    elapsedMs: () => 0,
  })
