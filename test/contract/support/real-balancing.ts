import { randomUUID } from 'node:crypto'
import { HOST_DEVICE } from '../../../src/agent/balancing/devices.js'
import type { BalancerDriver } from '../../../src/agent/balancing/driver.js'
import { type Run, run } from '../../../src/agent/host/run.js'
import { type Logger, silentLogger } from '../../../src/agent/logger.js'
import type { VipPlaces } from '../../../src/agent/networks/vip-place.js'
import type { Provider } from '../../../src/wire/balancing/providers.js'
import { balancerIntent, listenerIntent, memberIntent } from '../../agent/support/balancing.js'
import { Gate } from '../../agent/support/gate.js'
import { temporaryDirectory } from '../../agent/support/temporary.js'
import { ask, Backend } from '../../hosts/support/traffic.js'
import { freePort } from '../../support/address.js'
import type { BalancingSubject } from './balancing-subject.js'

export interface DriverOptions {
  readonly stateDir: string
  readonly run: Run
  readonly places: VipPlaces
  readonly logger: Logger
}

const VIP = '127.0.46.1'

/** A program of this machine, on an address of its own; its steps are the programs that its driver runs. */
export async function realBalancing(
  provider: Provider,
  create: (options: DriverOptions) => BalancerDriver,
): Promise<BalancingSubject> {
  const stateDir = await temporaryDirectory()
  const members = { one: await Backend.start('one'), two: await Backend.start('two') }
  const port = await freePort()
  const makeDriver = (runs: Run) => create({ stateDir, run: runs, places: ownAddresses, logger: silentLogger })
  return {
    provider,
    device: HOST_DEVICE,
    stateDir,
    open: async (stopAt) => {
      const halt = new Gate()
      const driver = makeDriver(stopAt === null ? run : haltingRun(stopAt, halt))
      return {
        devices: [{ name: HOST_DEVICE, provider, driver }],
        places: ownAddresses,
        halted: halt.passed,
      }
    },
    leadingTo: (member, like) => {
      const pool = like?.pools[0]?.id ?? randomUUID()
      const before = like ?? balancerIntent()
      return {
        ...before,
        vip: { ...before.vip, address: VIP },
        listeners: like?.listeners ?? [listenerIntent({ port, defaultPoolId: pool })],
        pools: [
          {
            ...before.pools[0]!,
            id: pool,
            members: [memberIntent({ address: '127.0.0.1', port: members[member].port })],
          },
        ],
      }
    },
    ask: async () => {
      const answer = await ask({ host: VIP, port }).catch(() => null)
      return answer?.status === 200 ? answer.body : null
    },
    close: async () => {
      const driver = makeDriver(run)
      for (const id of await driver.list()) await driver.remove(id, AbortSignal.timeout(20_000))
      await driver.close?.()
      await Promise.all([members.one.stop(), members.two.stop()])
    },
  }
}

/** Of the loopback interface, which has all of 127.0.0.0/8. */
const ownAddresses: VipPlaces = {
  ensure: async () => ({ namespace: null, enter: [] }),
  takeDown: async () => undefined,
  lastFor: () => undefined,
  renew: async () => true,
  remove: async () => undefined,
  list: async () => [],
}

/** The process is killed when it is about to run the so-manieth program. */
function haltingRun(stopAt: number, halt: Gate): Run {
  let runs = 0
  return (program, args, options) => {
    runs += 1
    if (runs <= stopAt) return run(program, args, options)
    halt.open()
    return new Promise(() => undefined)
  }
}
