import 'reflect-metadata'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeGuestContract } from '../contract/guests.contract.js'
import { GuestBench, guestPrograms } from './support/guest-bench.js'
import { describeWith } from './support/needs.js'

describeWith(guestPrograms, 'libvirt under the contract of all hypervisors', () => {
  describeGuestContract('libvirt', async () => {
    const bench = await GuestBench.start()
    return {
      driver: bench.driver,
      guest: (disk) => bench.guest({ disks: [disk] }),
      connectionId: bench.image.connectionId,
      leftovers: () => readdirSync(join(bench.stateDir, 'libvirt')).filter((name) => name !== 'probed.json'),
      end: () => bench.end(),
    }
  })
})
