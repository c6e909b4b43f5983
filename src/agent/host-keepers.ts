import type { Observation } from '../wire/session.js'
import type { HostBalancing } from './balancing/host-balancing.js'
import { BalancerKeeper } from './balancing/keeper.js'
import type { BalancingState } from './balancing/state.js'
import type { HypervisorDriver } from './guests/driver.js'
import { GuestKeeper } from './guests/keeper.js'
import type { GuestState } from './guests/state.js'
import type { Keepers } from './handlers.js'
import type { Logger } from './logger.js'
import type { CurrentSession } from './session.js'
import type { StorageDrivers } from './storage/driver.js'
import { StorageKeeper } from './storage/keeper.js'
import type { StorageState } from './storage/state.js'

/** What a host keeps on disk, by area. */
export interface HostStates {
  readonly storage: StorageState
  readonly balancing: BalancingState
  readonly guests: GuestState
}

/** What does the work on a host, by area. */
export interface HostDrivers {
  readonly storage: StorageDrivers
  readonly balancing: HostBalancing
  /** Null: nothing here runs guests. */
  readonly hypervisor: HypervisorDriver | null
}

export interface HostKeepersOptions {
  readonly states: HostStates
  readonly drivers: HostDrivers
  readonly bootId: string
  readonly current: CurrentSession
  readonly logger: Logger
  readonly onObservation: (observation: Observation) => void
  readonly onOwnChange?: () => void
  readonly renewSession: () => void
  readonly random?: () => number
}

/** All that holds something for the plane on a host; guests stand on storage. */
export class HostKeepers implements Keepers {
  readonly storage: StorageKeeper
  readonly balancing: BalancerKeeper
  readonly guests: GuestKeeper

  constructor({ states, drivers, onOwnChange, random, ...shared }: HostKeepersOptions) {
    this.storage = new StorageKeeper({
      ...shared,
      state: states.storage,
      drivers: drivers.storage,
      ...(onOwnChange ? { onOwnChange } : {}),
      ...(random ? { random } : {}),
    })
    this.balancing = new BalancerKeeper({ ...shared, ...drivers.balancing, state: states.balancing })
    this.guests = new GuestKeeper({
      ...shared,
      state: states.guests,
      driver: drivers.hypervisor,
      storageStatus: (id) => this.storage.held().find(({ connectionId }) => connectionId === id)?.status,
    })
  }

  start(): void {
    this.storage.start()
    this.balancing.start()
    this.guests.start()
  }

  async stop(): Promise<void> {
    await Promise.all([this.storage.stop(), this.balancing.stop(), this.guests.stop()])
  }

  /** Settings of the plane, by key. */
  obey(settings: Readonly<Record<string, number>>): void {
    this.storage.obey(settings)
    this.balancing.obey(settings)
  }
}
