import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createHandlers } from '../../../src/agent/handlers.js'
import { readMounts } from '../../../src/agent/host/mounts.js'
import { openJournal } from '../../../src/agent/journal.js'
import { silentLogger } from '../../../src/agent/logger.js'
import { createStorageDrivers } from '../../../src/agent/storage/drivers.js'
import { StorageState } from '../../../src/agent/storage/state.js'
import { noBalancers, noGuests } from './no-balancers.js'
import type { StorageSubject } from './subject.js'

const schemes = {
  local: { uri: (path: string) => `local://${path}`, brokenFault: { type: 'connect', number: 451 } },
  posix: { uri: (path: string) => `posix://${path}?fstype=bind`, brokenFault: { type: 'mount', number: 477 } },
} as const

/** This host, in a directory of its own: directories as they are, or bind mounts, for which it takes root. */
export async function realSubject(scheme: keyof typeof schemes): Promise<StorageSubject> {
  const { uri, brokenFault } = schemes[scheme]
  const root = await realpath(await mkdtemp(join(tmpdir(), 'keelson-contract-')))
  const [stateDir, mountRoot, broken] = [join(root, 'state'), join(root, 'state', 'mnt'), join(root, 'broken')]
  await mkdir(stateDir)
  for (const number of [1, 2, 3]) await mkdir(join(root, `${number}`))
  const mountPoints = async () => (await readMounts()).filter(({ mountPoint }) => mountPoint.startsWith(mountRoot))
  return {
    drivers: createStorageDrivers(stateDir),
    openJournal: () => openJournal(stateDir, silentLogger),
    openStorage: () => StorageState.load(stateDir),
    handlersOf: (keeper) => createHandlers({ storage: keeper, balancing: noBalancers(), guests: noGuests() }),
    uri: (number) => uri(`${root}/${number}`),
    otherSpelling: (number) => uri(`${root}//./${number}/`),
    brokenUri: uri(broken),
    brokenFault,
    mend: () => mkdir(broken),
    connected: async () => (scheme === 'local' ? null : (await mountPoints()).length),
    close: async () => {
      for (const { mountPoint } of await mountPoints()) await promisify(execFile)('umount', ['-l', mountPoint])
      await rm(root, { recursive: true, force: true })
    },
  }
}
