import type { StorageDrivers } from './driver.js'
import { createAbsentDriver } from './drivers/absent.js'
import { createLocalDriver } from './drivers/local.js'
import { createPosixDriver } from './drivers/posix.js'

export interface DriverPlaces {
  /** Mount points are made, and removed, below this directory. */
  readonly mountRoot: string
}

/** What drives each scheme on this host. */
export const createStorageDrivers = ({ mountRoot }: DriverPlaces): StorageDrivers => ({
  ceph: createAbsentDriver('ceph'),
  glusterfs: createAbsentDriver('glusterfs'),
  iscsi: createAbsentDriver('iscsi'),
  local: createLocalDriver(),
  nfs: createAbsentDriver('nfs'),
  posix: createPosixDriver({ mountRoot }),
})

/** `storage:<scheme>` where nothing on this host stands in the way of the driver. */
export async function capabilitiesOf(drivers: StorageDrivers): Promise<string[]> {
  const obstacles = await Promise.all(
    Object.entries(drivers).map(async ([scheme, driver]) => ({ scheme, obstacle: await driver.obstacle() })),
  )
  return obstacles.filter(({ obstacle }) => obstacle === null).map(({ scheme }) => `storage:${scheme}`)
}
