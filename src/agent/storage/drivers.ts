import { join } from 'node:path'
import type { StorageDrivers } from './driver.js'
import { createCephDriver } from './drivers/ceph.js'
import { createGlusterfsDriver } from './drivers/glusterfs.js'
import { createIscsiDriver } from './drivers/iscsi.js'
import { createLocalDriver } from './drivers/local.js'
import { createNfsDriver } from './drivers/nfs.js'
import { createPosixDriver } from './drivers/posix.js'

/** What drives each scheme on this host. What they make lies in the state directory. */
export function createStorageDrivers(stateDir: string): StorageDrivers {
  const mountRoot = join(stateDir, 'mnt')
  return {
    ceph: createCephDriver({ mountRoot, keyRoot: join(stateDir, 'keys') }),
    glusterfs: createGlusterfsDriver({ mountRoot, logRoot: join(stateDir, 'log', 'glusterfs') }),
    iscsi: createIscsiDriver(),
    local: createLocalDriver(),
    nfs: createNfsDriver({ mountRoot }),
    posix: createPosixDriver({ mountRoot }),
  }
}

/** `storage:<scheme>` where nothing on this host stands in the way of the driver. */
export async function capabilitiesOf(drivers: StorageDrivers): Promise<string[]> {
  const obstacles = await Promise.all(
    Object.entries(drivers).map(async ([scheme, driver]) => ({ scheme, obstacle: await driver.obstacle() })),
  )
  return obstacles.filter(({ obstacle }) => obstacle === null).map(({ scheme }) => `storage:${scheme}`)
}
