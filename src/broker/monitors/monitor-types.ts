import { clockOffset, diskSpace, engineHealth, libvirt, storageDomain } from './host.js'
import { cpuLoad, cpuLoadNoEngine, memFree } from './load.js'
import type { MonitorType } from './monitor.js'
import { mgmtBridge, network } from './network.js'

/** By the names that HA agents start them with; those below the line are not the original's. */
export const monitorTypes: Readonly<Record<string, MonitorType>> = {
  'cpu-load': cpuLoad,
  'cpu-load-no-engine': cpuLoadNoEngine,
  'engine-health': engineHealth,
  'mem-free': memFree,
  'mgmt-bridge': mgmtBridge,
  'storage-domain': storageDomain,
  network,

  libvirt,
  'disk-space': diskSpace,
  'clock-offset': clockOffset,
}
