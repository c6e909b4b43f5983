import 'reflect-metadata'
import { type GuestHost, type PlacementHints, rankHosts } from '../../src/engine/guests/placement.js'

const GIB = 1_073_741_824
const rules = { vcpusPerCpu: 2, reservedMemoryMib: 1024 }

/** With room for 15,360 MiB and 8 vCPUs, unless it is said otherwise. */
function host(name: string, overrides: Partial<GuestHost> = {}): GuestHost {
  return {
    id: name,
    name,
    status: 'Up',
    kinds: ['guests.apply'],
    capabilities: ['hypervisor:simulated'],
    labels: {},
    facts: { hostname: name, os: '', kernel: '', arch: '', cpus: 4, cpuModel: '', memoryBytes: 16 * GIB, tools: [] },
    guests: 0,
    vcpus: 0,
    memoryMib: 0,
    kin: 0,
    lacking: [],
    ...overrides,
  }
}

const rank = (hosts: GuestHost[], hints: PlacementHints = {}) =>
  rankHosts(hosts, { vcpus: 2, memoryMib: 2048, hints }, rules)
const names = (hosts: GuestHost[], hints: PlacementHints = {}) => rank(hosts, hints).able.map(({ name }) => name)

describe('the host of a guest', () => {
  it('is the one that it fills most', () => {
    expect(names([host('empty'), host('half', { memoryMib: 8000 }), host('nearly', { memoryMib: 13_000 })])).toEqual([
      'nearly',
      'half',
      'empty',
    ])
  })

  it('is one away from its kin, by the label of hosts where there is one', () => {
    const hosts = [
      host('a1', { labels: { rack: 'a' }, kin: 1, memoryMib: 9000 }),
      host('a2', { labels: { rack: 'a' }, memoryMib: 9000 }),
      host('b1', { labels: { rack: 'b' } }),
    ]
    const guestLabel = 'app'
    expect(names(hosts, { spread: { guestLabel } })).toEqual(['a2', 'b1', 'a1'])
    expect(names(hosts, { spread: { guestLabel, hostLabel: 'rack' } })).toEqual(['b1', 'a2', 'a1'])
  })

  it.each<[string, Partial<GuestHost>, PlacementHints, string]>([
    ['is in maintenance', { status: 'Maintenance' }, {}, 'it is Maintenance'],
    ['is not the one', {}, { hostId: 'other' }, 'it is to be another'],
    ['has not the label', {}, { hostLabels: { zone: 'a' } }, 'it has not the label zone=a'],
    ['has an old agent', { kinds: [] }, {}, 'its agent does not understand guests.apply'],
    ['runs no guests', { capabilities: [] }, {}, 'it lacks the capability hypervisor'],
    ['has no memory', { memoryMib: 14_000 }, {}, 'it has 1360 MiB of memory left'],
    ['has no vCPUs', { vcpus: 7 }, {}, 'it has 1 vCPUs left'],
    [
      'does not see the storage up',
      { lacking: [{ connectionId: 'a', reason: 'down', operatingStatus: 'STUCK', fault: null }] },
      {},
      'storage connection a is STUCK there',
    ],
  ])('is none that %s, and that is said', (_, overrides, hints, reason) => {
    expect(rank([host('h', overrides)], hints)).toEqual({ able: [], refused: [{ host: 'h', reason }] })
  })
})
