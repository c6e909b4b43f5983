import { BalancerKeeper } from '../../../src/agent/balancing/keeper.js'
import { BalancingState } from '../../../src/agent/balancing/state.js'
import { GuestKeeper } from '../../../src/agent/guests/keeper.js'
import { GuestState } from '../../../src/agent/guests/state.js'
import { silentLogger } from '../../../src/agent/logger.js'
import { CurrentSession } from '../../../src/agent/session.js'

/** Of a host that runs none. */
export const noGuests = (): GuestKeeper =>
  new GuestKeeper({
    state: GuestState.inMemory(),
    driver: null,
    storageStatus: () => undefined,
    logger: silentLogger,
    onObservation: () => undefined,
  })

/** Of a host that makes none. */
export const noBalancers = (): BalancerKeeper =>
  new BalancerKeeper({
    state: BalancingState.inMemory(),
    devices: [],
    places: null,
    bootId: 'boot-1',
    current: new CurrentSession(),
    logger: silentLogger,
    onObservation: () => undefined,
    renewSession: () => undefined,
  })
