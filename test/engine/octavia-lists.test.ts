import type { Body } from '../support/http.js'
import { FAULT, NOBODY, type OctaviaWorld, octaviaWorld } from './support/octavia-world.js'

let world: OctaviaWorld
let lb: Body
const ids: Record<string, string> = {}

/** Pools, whose names tell the order in which they were made. */
beforeAll(async () => {
  world = await octaviaWorld()
  lb = await world.balancer({ name: 'listed' })
  const pool = (name: string, more: object) =>
    world.create('pools', {
      pool: { loadbalancer_id: lb.id, name, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...more },
    })
  ids.a = (await pool('a', { tags: ['red', 'round'], description: 'z' })).id
  ids.b = (await pool('b', { tags: ['red', 'green'], protocol: 'TCP', description: 'y' })).id
  ids.c = (await pool('c', { tags: ['blue'], admin_state_up: false, lb_algorithm: 'SOURCE_IP', description: 'y' })).id
  ids.d = (await pool('d', { protocol: 'TCP', description: 'x' })).id
})
afterAll(() => world?.stop())

const names = async (query: string): Promise<string> => {
  const { body } = await world.client.get(`pools?${query}`)
  return body.pools?.map(({ name }: Body) => name).join('') ?? JSON.stringify(body)
}

describe('a list on the Octavia API', () => {
  it.each([
    ['', 'abcd'],
    ['name=b', 'b'],
    ['name=b&name=d', 'bd'],
    ['protocol=TCP', 'bd'],
    ['protocol=TCP&description=x', 'd'],
    ['lb_algorithm=SOURCE_IP', 'c'],
    ['admin_state_up=false', 'c'],
    ['admin_state_up=0', 'c'],
    ['admin_state_up=True', 'abd'],
    ['description=', ''],
    ['provisioning_status=PENDING_DELETE', ''],
    ['operating_status=OFFLINE', 'abcd'],
    [`id=${NOBODY}`, ''],
    ['id=none', ''],
    ['name=', ''],
    ['tags=red', 'ab'],
    ['tags=red,green', 'b'],
    ['tags=red&tags=green', 'b'],
    ['tags-any=green,blue', 'bc'],
    ['tags-any=green&tags-any=blue', 'bc'],
    ['not-tags=red', 'cd'],
    ['not-tags=red,green', 'acd'],
    ['not-tags-any=red,blue', 'd'],
    ['tags=red&not-tags=green', 'a'],
    ['tags=red&not-tags=red', ''],
    ['tags=red&tags-any=round,blue', 'a'],
    ['sort=name', 'abcd'],
    ['sort=name:desc', 'dcba'],
    ['sort=name:DESC', 'dcba'],
    ['sort=description:asc,name:desc', 'dcba'],
    ['sort=description,name:asc', 'dbca'],
    ['sort=admin_state_up:asc,name:desc', 'cdba'],
    ['sort_key=name&sort_dir=desc', 'dcba'],
    ['sort_key=description,name&sort_dir=asc,desc', 'dcba'],
    ['sort_key=description&sort_key=name&sort_dir=desc&sort_dir=asc', 'abcd'],
    ['sort_key=description,name&sort_dir=desc', 'abcd'],
    ['sort=created_at:desc', 'dcba'],
    ['sort=id', expect.stringMatching(/^[abcd]{4}$/)],
    ['sort=protocol:desc,name&limit=2', 'bd'],
    ['limit=2', 'ab'],
    ['limit=0', 'abcd'],
    ['limit=-1', 'abcd'],
    ['limit=infinite', 'abcd'],
    ['limit=100000', 'abcd'],
    ['fields=name', 'abcd'],
    ['fields=name&fields=id', 'abcd'],
    ['fields=name,id', 'abcd'],
    ['fields=name&fields=colour', 'abcd'],
    ['fields=name&protocol=TCP&sort=name:desc', 'db'],
  ])('with %s has %s', async (query, expected) => {
    expect(await names(query)).toEqual(expected)
  })

  it.each([
    ...['colour=red', 'name_like=a', 'limit=many', 'limit=1.5', 'sort=colour', 'sort=name:up', 'sort=name:asc:desc'],
    ...['sort_key=colour', 'sort_key=name&sort_dir=up', 'marker=none', `marker=${NOBODY}`, 'admin_state_up=maybe'],
    'sort=members',
  ])('with %s is refused', async (query) => {
    expect(await world.client.get(`pools?${query}`)).toMatchObject({ status: 400, body: FAULT })
  })

  it.each([
    ['limit=2', ['next']],
    ['limit=4', []],
    ['limit=2&marker=b', ['previous']],
    ['limit=1&marker=a', ['next', 'previous']],
    ['limit=1&marker=d&page_reverse=True', ['next', 'previous']],
  ])('with %s leads on by %j', async (query, rels) => {
    const marked = query.replace(/marker=(\w)/, (_, name: string) => `marker=${ids[name]}`)
    const { pools_links } = (await world.client.get(`pools?${marked}`)).body
    expect(pools_links.map(({ rel }: Body) => rel).sort()).toEqual(rels)
    for (const { href } of pools_links) expect(href).toMatch(new RegExp(`^${world.engine.url}/v2.0/lbaas/pools\\?`))
  })

  it.each(['sort=description:desc,name', 'protocol=TCP', 'tags-any=red,blue', 'fields=name&fields=id'])(
    'is walked there and back by links that keep %s',
    async (query) => {
      const walk = async (first: string, rel: string): Promise<{ names: string; last: string }> => {
        let found = ''
        let last = ''
        for (let path = first; path; ) {
          const { pools, pools_links } = (await world.client.get(path)).body
          last = path
          found += pools.map(({ name }: Body) => name).join('')
          const link = pools_links.find((one: Body) => one.rel === rel)
          path = link ? new URL(link.href).pathname + new URL(link.href).search : ''
        }
        return { names: found, last }
      }
      const whole = await names(query)
      const there = await walk(`pools?limit=1&${query}`, 'next')
      expect(there.names).toBe(whole)
      const back = await walk(there.last, 'previous')
      expect(back.names).toBe([...whole].reverse().join(''))
    },
  )
})

describe('flavors and their like on the Octavia API', () => {
  const kinds = [
    ['flavor', 'flavors', 'flavorprofile', 'flavorprofiles', 'flavor_data', 'flavor_profile_id'],
    [
      ...['availability_zone', 'availabilityzones', 'availability_zone_profile', 'availabilityzoneprofiles'],
      ...['availability_zone_data', 'availability_zone_profile_id'],
    ],
  ] as unknown as readonly (readonly [string, string, string, string, string, string])[]

  it.each(kinds)('a %s is described, narrowed, and refused where it is wrong', async (...kind) => {
    const [one, many, profile, profiles, data, profileId] = kind
    const made = await world.create(profiles, {
      [profile]: { name: `p-${one}`, provider_name: 'simulated', [data]: '{"a": "b"}' },
    })
    expect(Object.keys(made).sort()).toEqual(['id', 'name', 'provider_name', data].sort())
    expect(JSON.parse(made[data])).toEqual({ a: 'b' })
    const body = { name: one, [profileId]: made.id }
    const offered = await world.create(many, { [one]: body })
    const shown = { ...body, description: '', enabled: true }
    expect(offered).toEqual(one === 'flavor' ? { ...shown, id: expect.any(String) } : shown)
    const key = offered.id ?? one
    expect((await world.client.get(`${many}/${key}?fields=name`)).body).toEqual({ [one]: { name: one } })
    expect((await world.client.get(`${profiles}/${made.id}?fields=name`)).body).toEqual({
      [profile]: { name: `p-${one}` },
    })
    expect(Object.values((await world.client.get(`${many}?${profileId}=${made.id}`)).body)[0]).toHaveLength(1)
    for (const wrong of [
      ...[{ name: undefined }, { name: null }, { name: 'n'.repeat(256) }, { [profileId]: undefined }],
      ...[{ [profileId]: NOBODY }, { [profileId]: 'none' }, { enabled: 'maybe' }, { description: 'd'.repeat(256) }],
      { colour: 'red' },
    ])
      expect(await world.client.post(many, { [one]: { ...body, name: 'other', ...wrong } })).toMatchObject({
        status: 400,
        body: FAULT,
      })
    expect(await world.client.post(many, { [one]: body })).toMatchObject({ status: 409, body: FAULT })
    for (const wrong of [{ [profileId]: made.id }, { id: NOBODY }, { colour: 'red' }, { enabled: 'maybe' }])
      expect(await world.client.put(`${many}/${key}`, { [one]: wrong })).toMatchObject({ status: 400, body: FAULT })
    const changed = await world.client.put(`${many}/${key}`, { [one]: { description: 'd', enabled: false } })
    expect(changed.body[one]).toMatchObject({ description: 'd', enabled: false })
    expect((await world.client.put(`${many}/${key}`, { [one]: {} })).status).toBe(200)
    expect((await world.client.delete(`${many}/${key}`)).status).toBe(204)
    for (const call of [
      () => world.client.get(`${many}/${key}`),
      () => world.client.put(`${many}/${key}`, { [one]: { description: 'e' } }),
      () => world.client.delete(`${many}/${key}`),
    ])
      expect(await call()).toMatchObject({ status: 404, body: FAULT })
  })

  it.each(kinds)('that a balancer has, a %s stays', async (...kind) => {
    const [one, many, profile, profiles, data, profileId] = kind
    const { id } = await world.create(profiles, {
      [profile]: { name: 'used', provider_name: 'simulated', [data]: '{}' },
    })
    const offered = await world.create(many, { [one]: { name: 'used', [profileId]: id } })
    const has = one === 'flavor' ? { flavor_id: offered.id } : { availability_zone: 'used' }
    const made = await world.balancer({ provider: null, ...has })
    expect(made).toMatchObject({ ...has, provider: 'simulated' })
    expect(await world.client.delete(`${many}/${offered.id ?? 'used'}`)).toMatchObject({ status: 409, body: FAULT })
    const [[name, value]] = Object.entries(has) as [[string, string]]
    const found = (await world.client.get(`loadbalancers?${name}=${value}`)).body
    expect(found.loadbalancers).toMatchObject([{ id: made.id }])
  })

  it.each([
    ['no name', { name: undefined }],
    ['no provider', { provider_name: undefined }],
    ['no data', { flavor_data: undefined }],
    ['a name of 256', { name: 'n'.repeat(256) }],
    ['a provider that there is not', { provider_name: 'none' }],
    ['data that is no JSON', { flavor_data: '{' }],
    ['data of more than is kept', { flavor_data: JSON.stringify({ a: 'b'.repeat(5_000) }) }],
    ['an unknown attribute', { colour: 'red' }],
  ])('a profile with %s is refused', async (_, wrong) => {
    const flavorprofile = { name: 'wrong', provider_name: 'simulated', flavor_data: '{}', ...wrong }
    expect(await world.client.post('flavorprofiles', { flavorprofile })).toMatchObject({ status: 400, body: FAULT })
  })
})
