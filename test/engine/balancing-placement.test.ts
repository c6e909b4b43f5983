import {
  choosePlace,
  type OccupiedPlace,
  type PlaceAsked,
  type PlacementHost,
} from '../../src/engine/balancing/placement.js'

const host = (id: string, more: Partial<PlacementHost> = {}): PlacementHost => ({
  id,
  name: id,
  status: 'Up',
  kinds: ['balancing.apply'],
  capabilities: ['balancing:haproxy'],
  labels: {},
  ...more,
})
const holding = (hostId: string, balancers: number): OccupiedPlace => ({
  kind: 'host',
  name: hostId,
  hostId,
  balancers,
})
const choose = (
  hosts: readonly PlacementHost[],
  devices: readonly OccupiedPlace[] = [],
  asked: PlaceAsked = { provider: 'haproxy' },
  chance = 0,
) => choosePlace(hosts, devices, asked, () => chance)

describe('where a balancer is placed', () => {
  it('is the host with the fewest', () => {
    expect(choose([host('a'), host('b')], [holding('a', 3), holding('b', 2)])).toMatchObject({ hostId: 'b' })
  })

  it('is one that has none yet before all others', () => {
    expect(choose([host('a'), host('b')], [holding('a', 1)])).toMatchObject({ kind: 'host', name: 'b', hostId: 'b' })
  })

  it.each([
    [0, 'a'],
    [0.5, 'b'],
    [0.99, 'c'],
  ])('is left to chance among equals: %s', (chance, expected) => {
    expect(choose([host('a'), host('b'), host('c')], [], undefined, chance)).toMatchObject({ hostId: expected })
  })

  it('is an appliance that a host reaches, where it has the fewest', () => {
    const reaching = host('a', { capabilities: ['balancing:nginx', 'balancing-device:edge-1:nginx'] })
    expect(choose([reaching], [holding('a', 1)], { provider: 'nginx' })).toEqual({
      kind: 'appliance',
      name: 'edge-1',
      hostId: 'a',
      provider: 'nginx',
    })
  })

  it('is an appliance only by the host that is in charge of it', () => {
    const reaching = (id: string) => host(id, { capabilities: ['balancing-device:edge-1:haproxy'] })
    const edge: OccupiedPlace = { kind: 'appliance', name: 'edge-1', hostId: 'b', balancers: 0 }
    expect(choose([reaching('a'), reaching('b')], [edge])).toMatchObject({ hostId: 'b' })
    expect(() => choose([reaching('a')], [edge])).toThrow('a: its devices are in charge of others')
  })

  it('is with the first provider that some host has, where nobody says which', () => {
    const hosts = [
      host('a', { capabilities: ['balancing:simulated'] }),
      host('b', { capabilities: ['balancing:nginx'] }),
    ]
    expect(choose(hosts, [], { provider: null })).toMatchObject({ provider: 'nginx', hostId: 'b' })
  })

  it.each<[string, PlacementHost, PlaceAsked, string]>([
    ['is silent', host('a', { status: 'NonResponsive' }), { provider: 'haproxy' }, 'it is NonResponsive'],
    ['is in maintenance', host('a', { status: 'Maintenance' }), { provider: 'haproxy' }, 'it is Maintenance'],
    ['lacks the provider', host('a'), { provider: 'nginx' }, 'it lacks the capability balancing:nginx'],
    ['is of another zone', host('a'), { provider: 'haproxy', labels: { zone: 'x' } }, 'it has not the label zone=x'],
    ['is to be left', host('a'), { provider: 'haproxy', exceptHostIds: ['a'] }, 'it is to be another'],
    [
      'has too old an agent',
      host('a', { kinds: [] }),
      { provider: 'haproxy' },
      'its agent does not understand balancing.apply',
    ],
  ])('is never a host that %s, and the refusal says so', (_what, one, asked, reason) => {
    expect(() => choose([one], [], asked)).toThrow(`no host can take the load balancer: a: ${reason}`)
  })
})
