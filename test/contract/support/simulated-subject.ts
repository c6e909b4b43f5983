import { createHandlers } from '../../../src/agent/handlers.js'
import { HostFaults } from '../../../src/simulate/host-faults.js'
import { MemoryDisk } from '../../../src/simulate/memory-disk.js'
import { quietScenario } from '../../../src/simulate/scenario.js'
import { Statistics } from '../../../src/simulate/statistics.js'
import { simulatedDrivers } from '../../../src/simulate/storage-drivers.js'
import { unreliableHandlers } from '../../../src/simulate/unreliable-handlers.js'
import { noBalancers, noGuests } from './no-balancers.js'
import type { StorageSubject } from './subject.js'

const brokenPath = '/srv/broken'

const schemes = {
  local: { uri: (path: string) => `local://${path}`, brokenFault: { type: 'connect', number: 451 } },
  posix: { uri: (path: string) => `posix://${path}?fstype=bind`, brokenFault: { type: 'mount', number: 477 } },
} as const

/** A simulated host in whose scenario one path is out of order, and nothing else goes wrong. */
export async function simulatedSubject(scheme: keyof typeof schemes): Promise<StorageSubject> {
  const { uri, brokenFault } = schemes[scheme]
  const faults = new HostFaults({
    scenario: quietScenario,
    seed: 1,
    hostName: 'contract',
    statistics: new Statistics(),
    elapsedMs: () => 0,
  })
  faults.begin({ status: 'DOWN', targets: `*${brokenPath}*`, message: 'out of order', forMs: null })
  const mounts = new Set<string>()
  const disk = new MemoryDisk('00000000-0000-4000-8000-000000000001')
  return {
    drivers: simulatedDrivers({ mounts, outageOf: (target) => faults.outageOf(target) }),
    openJournal: () => disk.openJournal(),
    openStorage: async () => (await disk.openStates()).storage,
    handlersOf: (keeper) =>
      unreliableHandlers(createHandlers({ storage: keeper, balancing: noBalancers(), guests: noGuests() }), faults, {
        running: async () => undefined,
        acting: () => undefined,
      }),
    uri: (number) => uri(`/srv/${number}`),
    otherSpelling: (number) => uri(`/srv//./${number}/`),
    brokenUri: uri(brokenPath),
    brokenFault,
    mend: async () => faults.endOutages(),
    connected: async () => (scheme === 'local' ? null : mounts.size),
    close: async () => undefined,
  }
}
