import { randomUUID } from 'node:crypto'
import { requireFrame } from '../../src/engine/balancing/command-size.js'
import { MAX_FRAME_CHARS } from '../../src/wire/session.js'
import { balancerIntent } from '../agent/support/balancing.js'

const told = (changes: object) => ({
  provider: 'simulated' as const,
  device: { name: 'host', epoch: 1 },
  balancer: { ...balancerIntent(), ...changes },
})
const certificate = (chainPem = '') => ({ id: randomUUID(), chainPem })

describe('what is said of a load balancer', () => {
  it('is sent in one frame, which all of a usual one fits', () => {
    expect(() => requireFrame(told({ certificates: [certificate('x'.repeat(60_000))] }), {})).not.toThrow()
  })

  it('is refused before it is stored where it would not fit', () => {
    const keys = { a: 'x'.repeat(MAX_FRAME_CHARS / 2) }
    const certificates = Array.from({ length: 10 }, () => certificate('x'.repeat(60_000)))
    expect(() => requireFrame(told({ certificates }), keys)).toThrow(/would be too large: all that is said of it takes/)
  })

  it('shows no more certificates than a host takes', () => {
    const certificates = Array.from({ length: 101 }, () => certificate())
    expect(() => requireFrame(told({ certificates }), {})).toThrow(/shows 101 certificates, and 100 are the most/)
  })
})
