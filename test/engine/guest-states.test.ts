import 'reflect-metadata'
import { layerFault, maySendAgain } from '../../src/engine/guests/guest-faults.js'
import {
  allowedActions,
  type GuestStep,
  guestActions,
  guestSteps,
  stepRules,
} from '../../src/engine/guests/guests.states.js'
import { provisioningStatuses } from '../../src/engine/platform/provisioning.js'
import { guestPowers, guestStatuses } from '../../src/wire/guests/terms.js'

const states = provisioningStatuses.flatMap((provisioningStatus) =>
  guestPowers.flatMap((power) =>
    guestStatuses.map((operatingStatus) => ({ provisioningStatus, power, operatingStatus })),
  ),
)

describe('a guest', () => {
  it('is made in this order', () => {
    const way: GuestStep[] = []
    for (let step: GuestStep | null = 'storage'; step !== null; step = stepRules[step].next) way.push(step)
    expect(way).toEqual(['storage', 'image', 'volumes', 'seed', 'start', 'ping', 'prepare'])
  })

  it.each(guestSteps)('comes to an end from step %s', (first) => {
    let step: GuestStep | null = first
    for (let i = 0; step !== null && i < guestSteps.length; i += 1) step = stepRules[step].next
    expect(step).toBeNull()
  })

  it('can be removed whatever it is, and made anew unless it is on its way out', () => {
    for (const state of states) {
      expect(allowedActions(state)).toContain('delete')
      const leaving = state.provisioningStatus === 'PENDING_DELETE' || state.provisioningStatus === 'DELETED'
      expect(allowedActions(state).includes('rebuild')).toBe(!leaving)
    }
  })

  it('is asked for nothing else while something is under way', () => {
    const pending = states.filter(({ provisioningStatus }) => /PENDING_(CREATE|UPDATE)/.test(provisioningStatus))
    for (const state of pending) expect(allowedActions(state)).toEqual(['rebuild', 'delete'])
  })

  it('can be started where it has ended by itself', () => {
    const crashed = { provisioningStatus: 'ACTIVE', power: 'RUNNING', operatingStatus: 'CRASHED' } as const
    expect(allowedActions(crashed)).toContain('start')
    expect(allowedActions({ ...crashed, operatingStatus: 'RUNNING' })).not.toContain('start')
  })

  it.each(guestActions)('may be asked to %s in some state', (action) => {
    expect(states.some((state) => allowedActions(state).includes(action))).toBe(true)
  })
})

describe('the layer that failed', () => {
  const ended = { kind: 'guests.ping', state: 'failed', fault: null } as const

  it('is what the host says, where that is a layer', () => {
    const fault = { type: 'kernel-panic', message: 'Kernel panic - not syncing' }
    expect(layerFault('ping', { ...ended, fault }, true)).toEqual(fault)
  })

  it('is that of the step where the host says something else, and its words are kept', () => {
    const fault = { type: 'internal', message: 'ENOSPC' }
    expect(layerFault('volumes', { ...ended, fault }, true)).toEqual({
      type: 'volume-failed',
      message: 'internal: ENOSPC',
    })
  })

  it('is the host where that had no session while there was time', () => {
    expect(layerFault('start', { ...ended, state: 'expired' }, false).type).toBe('no-host')
    expect(layerFault('start', { ...ended, state: 'expired' }, true).type).toBe('vm-not-started')
  })
})

describe('a message that did not come through', () => {
  const silent = { fault: { type: 'agent-silent', message: 'the guest is paused' } }

  it('is sent again within the time that it had at first, and not more than three times', () => {
    expect(maySendAgain(silent, { pings: 1, leftMs: 1 })).toBe(true)
    expect(maySendAgain(silent, { pings: 1, leftMs: 0 })).toBe(false)
    expect(maySendAgain(silent, { pings: 3, leftMs: 60_000 })).toBe(false)
  })

  it('is not sent again where it may have been begun, or has ended', () => {
    for (const type of ['expired', 'prepare-failed', 'agent-too-old'])
      expect(maySendAgain({ fault: { type, message: '' } }, { pings: 1, leftMs: 60_000 })).toBe(false)
    expect(maySendAgain({ fault: null }, { pings: 1, leftMs: 60_000 })).toBe(false)
  })
})
