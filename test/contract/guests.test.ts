import 'reflect-metadata'
import { randomUUID } from 'node:crypto'
import { SimulatedDisks } from '../../src/simulate/guests/disks.js'
import { SimulatedHypervisor } from '../../src/simulate/guests/hypervisor.js'
import type { HostFaults } from '../../src/simulate/host-faults.js'
import type { VolumeIntent } from '../../src/wire/guests/intent.js'
import { describeGuestContract } from './guests.contract.js'

// all that a hypervisor asks of them: nothing goes wrong
const faults = { strike: () => null } as unknown as HostFaults

describeGuestContract('a simulated host', async () => {
  const driver = new SimulatedHypervisor(faults, new SimulatedDisks())
  const guest = (disk: VolumeIntent) => ({
    id: randomUUID(),
    name: 'simulated',
    vcpus: 1,
    memoryMiB: 128,
    disks: [disk],
    nics: [],
    kernel: null,
    seed: false,
    channel: true,
    power: 'RUNNING' as const,
    stopGraceMs: 30_000,
    restartPolicy: 'never' as const,
  })
  return { driver, guest, connectionId: 'disks', leftovers: () => driver.leftovers, end: async () => undefined }
})
