import { randomUUID } from 'node:crypto'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { type AddressDesk, openAddressDesk } from './support/addresses.js'

const networks = '/api/v1/networks'
const DEFAULT_PROJECT = '00000000-0000-4000-8000-00000000d0d0'

let engine: TestEngine
let desk: AddressDesk

beforeAll(async () => {
  engine = await startTestEngine()
  desk = await openAddressDesk(engine)
})
afterAll(async () => {
  await desk?.close()
  await engine?.stop()
})

let bridges = 0
/** Of its own, so that networks of this file may have the same addresses. */
const bridge = () => `br-${++bridges}`

async function make(body: object = {}): Promise<Body> {
  const asked = { name: `n-${randomUUID()}`, cidr: '192.0.2.0/24', bridge: bridge(), ...body }
  const reply = await engine.http.post(networks, asked)
  if (reply.status !== 201) throw new Error(JSON.stringify(reply.body))
  expect(reply.headers.get('location')).toBe(`${networks}/${reply.body.id}`)
  return reply.body
}

const get = async (id: string) => (await engine.http.get(`${networks}/${id}`)).body
const claim = (networkId: string, more: object = {}) => desk.claim({ networkId, ...more })
const named = (body: Body): string[] => body.items.map(({ name }: Body) => name)

describe('a network', () => {
  it('has all addresses of its CIDR but its own, the broadcast and the gateway', async () => {
    const made = await make({ cidr: '192.0.2.77/28', gateway: '192.0.2.65' })
    expect(made).toMatchObject({
      projectId: null,
      cidr: '192.0.2.64/28',
      gateway: '192.0.2.65',
      ranges: [{ from: '192.0.2.66', to: '192.0.2.78' }],
      addresses: { total: 13, free: 13 },
      createBridge: false,
      generation: 1,
    })
    expect(await get(made.id)).toEqual(made)
  })

  it('leaves the gateway out where it stands in the middle of a range', async () => {
    const made = await make({ gateway: '192.0.2.10', ranges: [{ from: '192.0.2.9', to: '192.0.2.11' }] })
    expect(made.addresses).toEqual({ total: 2, free: 2 })
    const { body } = await engine.http.get(`${networks}/${made.id}/addresses`)
    expect(body.items.map(({ address }: Body) => address)).toEqual(['192.0.2.9', '192.0.2.11'])
  })

  it('may be of IPv6, of one address, or of 65,536', async () => {
    const wide = await make({ cidr: '2001:DB8::1/64', ranges: [{ from: '2001:db8::ffff', to: '2001:db8::1:0002' }] })
    expect(wide).toMatchObject({ cidr: '2001:db8::/64', addresses: { total: 4 } })
    expect((await claim(wide.id)).address).toBe('2001:db8::ffff')
    expect(await make({ cidr: '127.0.7.1/32', bridge: null })).toMatchObject({ addresses: { total: 1 } })
    expect(await make({ cidr: '10.0.0.0/16' })).toMatchObject({ addresses: { total: 65_534 } })
  })

  it.each([
    ['cidr', { cidr: '192.0.2.0' }],
    ['cidr', { cidr: '192.0.2.0/33' }],
    ['cidr', { cidr: '224.0.0.0/8' }],
    ['cidr', { cidr: '::ffff:192.0.2.0/120' }],
    ['ranges', { cidr: '2001:db8::/64' }],
    ['ranges', { cidr: '10.0.0.0/15' }],
    ['ranges', { cidr: '10.0.0.0/8', ranges: [{ from: '10.0.0.1', to: '10.1.0.1' }] }],
    ['gateway', { gateway: '192.0.3.1' }],
    ['gateway', { gateway: '192.0.2.255' }],
    ['ranges[1].to', { ranges: [{ from: '192.0.2.3', to: '192.0.2.4' }, { from: '192.0.2.9', to: '192.0.2.8' }] }], // biome-ignore format: one a line
    ['ranges', { ranges: [{ from: '192.0.2.3', to: '192.0.2.4' }, { from: '192.0.2.4', to: '192.0.2.8' }] }], // biome-ignore format: one a line
    ['ranges[0].from', { ranges: [{ from: '192.0.3.3', to: '192.0.2.4' }] }],
    ['ranges', { gateway: '192.0.2.3', ranges: [{ from: '192.0.2.3', to: '192.0.2.3' }] }],
    ['bridge', { bridge: 'a/b' }],
    ['createBridge', { bridge: null, createBridge: true }],
    ['uplink', { uplink: 'eth1' }],
    ['vlan', { createBridge: true, vlan: 5 }],
    ['hostIsGateway', { createBridge: true, hostIsGateway: true }],
  ])('cannot be right with this %s, and nothing is stored: %j', async (field, body) => {
    const name = `n-${randomUUID()}`
    const reply = await engine.http.post(networks, { name, cidr: '192.0.2.0/24', bridge: bridge(), ...body })
    expect({ status: reply.status, fields: reply.body.faults?.map((fault: Body) => fault.field) }).toEqual({
      status: 422,
      fields: [field],
    })
    expect(named((await engine.http.get(`${networks}?name=${name}`)).body)).toEqual([])
  })

  it('is refused where it contradicts another on its bridge, and the other is named', async () => {
    const first = await make({ createBridge: true, uplink: 'eth7', vlan: 7 })
    const same = { bridge: first.bridge, createBridge: true, uplink: 'eth7', vlan: 7 }
    const attempts: [object, string][] = [
      [{ ...same, cidr: '192.0.2.128/25' }, 'has addresses of'],
      [{ ...same, cidr: '198.51.100.0/24', vlan: 8 }, 'in another way'],
      [{ ...same, cidr: '198.51.100.0/24', bridge: bridge() }, 'gives eth7 to another bridge'],
    ]
    for (const [body, words] of attempts) {
      const reply = await engine.http.post(networks, { name: `n-${randomUUID()}`, ...body })
      expect(reply).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:network-overlaps' } })
      expect(reply.body.detail).toContain(words)
      expect(reply.body.detail).toContain(first.name)
    }
    await make({ ...same, cidr: '198.51.100.0/24' })
    await make({ ...same, cidr: '2001:db8::/120' })
  })

  it('of two that are made at the same moment and overlap is one', async () => {
    const shared = { cidr: '203.0.113.0/24', bridge: bridge() }
    const replies = await Promise.all(
      [1, 2, 3, 4].map(() => engine.http.post(networks, { name: `n-${randomUUID()}`, ...shared })),
    )
    expect(replies.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409, 409, 409])
  })

  it('has a name that no other of its project has', async () => {
    const projectId = await createProject(engine)
    const { name } = await make()
    await make({ name, projectId })
    for (const project of [null, projectId]) {
      const body = { name, cidr: '192.0.2.0/24', bridge: bridge(), projectId: project }
      expect(await engine.http.post(networks, body)).toMatchObject({
        status: 409,
        body: { type: 'urn:keelson:problem:name-taken' },
      })
    }
    const nowhere = { name, cidr: '192.0.2.0/24', bridge: bridge(), projectId: randomUUID() }
    expect((await engine.http.post(networks, nowhere)).status).toBe(404)
  })

  it('is seen by its project, or by everybody when it is of none', async () => {
    const projectId = await createProject(engine)
    const [own, everybodys] = [await make({ projectId }), await make()]
    const { http: insider } = await callerWith(engine, { projects: { [projectId]: 'viewer' } })
    const { http: outsider } = await callerWith(engine, { projects: { [await createProject(engine)]: 'admin' } })
    const seenBy = async (http: typeof insider) =>
      named((await http.get(`${networks}?name=${own.name}&name=${everybodys.name}`)).body)
    expect(new Set(await seenBy(insider))).toEqual(new Set([own.name, everybodys.name]))
    expect(await seenBy(outsider)).toEqual([everybodys.name])
    for (const below of ['', '/addresses']) {
      expect((await outsider.get(`${networks}/${own.id}${below}`)).status).toBe(404)
      expect((await outsider.get(`${networks}/${everybodys.id}${below}`)).status).toBe(200)
    }
    expect((await outsider.patch(`${networks}/${everybodys.id}`, { name: 'mine' })).status).toBe(403)
  })

  it('gets another name and other ranges, and keeps what is had', async () => {
    const made = await make({ ranges: [{ from: '192.0.2.10', to: '192.0.2.12' }] })
    const path = `${networks}/${made.id}`
    expect((await claim(made.id)).address).toBe('192.0.2.10')
    const body = { name: `${made.name}-2`, ranges: [{ from: '192.0.2.12', to: '192.0.2.20' }] }
    const changed = await engine.http.patch(path, body, { headers: { 'if-match': '"g1"' } })
    expect(changed).toMatchObject({
      status: 200,
      body: { name: body.name, generation: 2, addresses: { total: 9, free: 9 } },
    })
    expect((await engine.http.patch(path, body)).body.generation).toBe(2)
    expect((await engine.http.patch(path, { name: 'x' }, { headers: { 'if-match': '"g1"' } })).status).toBe(412)
    expect((await claim(made.id)).address).toBe('192.0.2.12')
    const held = await engine.http.get(`${path}/addresses?state=held`)
    expect(held.body.items.map(({ address }: Body) => address)).toEqual(['192.0.2.10', '192.0.2.12'])
  })

  it('gets another gateway only while nothing was told of the one before', async () => {
    const made = await make({ cidr: '192.0.2.0/29', gateway: '192.0.2.1' })
    const path = `${networks}/${made.id}`
    expect((await engine.http.patch(path, { gateway: '192.0.2.6' })).body).toMatchObject({
      gateway: '192.0.2.6',
      addresses: { total: 4 },
    })
    const { holder, address } = await claim(made.id)
    expect(address).toBe('192.0.2.2')
    const refused = await engine.http.patch(path, { gateway: null })
    expect(refused).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:in-use' } })
    await desk.release(holder)
    expect((await engine.http.patch(path, { gateway: null })).body).toMatchObject({
      gateway: null,
      addresses: { total: 5, free: 5 },
    })
  })

  it('goes when nothing has an address of it, and names those that have', async () => {
    const made = await make()
    const path = `${networks}/${made.id}`
    const { holder, address } = await claim(made.id)
    const refused = await engine.http.delete(path)
    expect(refused).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:in-use' } })
    expect(refused.body.users).toEqual([{ ...holder, name: address }])
    await desk.release(holder)
    expect((await engine.http.delete(path)).status).toBe(204)
    expect((await engine.http.get(path)).status).toBe(404)
    await eventually(async () => {
      const { body } = await engine.http.get(`/api/v1/events?subject=network/${made.id}`)
      expect(body.items.map(({ type }: Body) => type).sort()).toEqual([
        'networks.network.created',
        'networks.network.deleted',
      ])
    })
  })

  it('stays while a row of something tells of it, though no address of it is had', async () => {
    const made = await make()
    const table = `uses_${made.id.slice(0, 8)}`
    await engine.query(`CREATE TABLE ${table} (network_id uuid REFERENCES networks (id))`)
    await engine.query(`INSERT INTO ${table} VALUES ($1)`, [made.id])
    const refused = await engine.http.delete(`${networks}/${made.id}`)
    expect(refused).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:in-use' } })
    await engine.query(`DROP TABLE ${table}`)
    expect((await engine.http.delete(`${networks}/${made.id}`)).status).toBe(204)
  })

  it('keeps its project', async () => {
    const projectId = await createProject(engine)
    const { id, name } = await make({ projectId })
    const refused = await engine.http.delete(`/api/v1/projects/${projectId}`)
    expect(refused).toMatchObject({ status: 409, body: { users: [{ noun: 'network', id, name }] } })
    await engine.http.delete(`${networks}/${id}`)
    expect((await engine.http.delete(`/api/v1/projects/${projectId}`)).status).toBe(204)
  })

  it('shows its addresses by pages, and who has them to who may see that', async () => {
    const made = await make({ cidr: '192.0.2.0/29' })
    const { holder } = await claim(made.id, { address: '192.0.2.3' })
    const path = `${networks}/${made.id}/addresses?limit=2`
    const first = await engine.http.get(path)
    expect(first.body.items).toMatchObject([
      { address: '192.0.2.1', state: 'free', holder: null, since: null },
      { address: '192.0.2.2', state: 'free' },
    ])
    const second = await engine.http.get(`${path}&cursor=${first.body.next}`)
    expect(second.body.items).toMatchObject([{ address: '192.0.2.3', state: 'held', holder }, { address: '192.0.2.4' }])
    expect(second.body.items[0].since).toEqual(expect.any(String))
    const { http } = await callerWith(engine, { projects: { [await createProject(engine)]: 'viewer' } })
    const { body } = await http.get(`${networks}/${made.id}/addresses?state=held`)
    expect(body.items).toEqual([{ address: '192.0.2.3', state: 'held', holder: null, since: null }])
    expect((await get(made.id)).addresses).toEqual({ total: 6, free: 5 })
  })
})

describe('an address', () => {
  it('is the lowest that is free, and comes with what a host is told of the network', async () => {
    const made = await make({ cidr: '192.0.2.0/29', gateway: '192.0.2.1' })
    const [first, second] = [await claim(made.id), await claim(made.id)]
    expect([first.address, second.address]).toEqual(['192.0.2.2', '192.0.2.3'])
    expect(first.intent).toEqual({
      id: made.id,
      cidr: '192.0.2.0/29',
      gateway: '192.0.2.1',
      bridge: made.bridge,
      createBridge: false,
      uplink: null,
      vlan: null,
      hostIsGateway: false,
    })
    await desk.release(first.holder)
    expect((await claim(made.id)).address).toBe('192.0.2.2')
  })

  it('that is asked for may lie beyond the ranges, and is in no range when it comes back', async () => {
    const made = await make({ ranges: [{ from: '192.0.2.10', to: '192.0.2.10' }] })
    const { holder, address } = await claim(made.id, { address: '192.0.2.200' })
    expect(address).toBe('192.0.2.200')
    expect((await get(made.id)).addresses).toEqual({ total: 1, free: 1 })
    await expect(claim(made.id, { address: '192.0.2.200' })).rejects.toMatchObject({ type: 'address-taken' })
    await desk.release(holder)
    const { body } = await engine.http.get(`${networks}/${made.id}/addresses`)
    expect(body.items.map((item: Body) => item.address)).toEqual(['192.0.2.10'])
    await claim(made.id, { address: '192.0.2.10' })
    await expect(claim(made.id, { address: '192.0.2.10' })).rejects.toMatchObject({ type: 'address-taken' })
    await expect(claim(made.id)).rejects.toMatchObject({ type: 'network-full' })
  })

  it.each(['192.0.3.1', '192.0.2.0', '192.0.2.255', '192.0.2.1', '2001:db8::1'])(
    '%s cannot be had in 192.0.2.0/24',
    async (address) => {
      const made = await make({ gateway: '192.0.2.1' })
      await expect(claim(made.id, { address })).rejects.toMatchObject({
        type: 'invalid',
        faults: [{ field: 'address' }],
      })
    },
  )

  it('of another project’s network is none', async () => {
    const made = await make({ projectId: DEFAULT_PROJECT })
    const projectId = await createProject(engine)
    for (const address of [null, '192.0.2.9'])
      await expect(claim(made.id, { projectId, address })).rejects.toMatchObject({ type: 'not-found' })
    await expect(claim(randomUUID())).rejects.toMatchObject({ type: 'not-found' })
    expect((await claim(made.id)).address).toBe('192.0.2.1')
  })

  it('is given to one alone, however many ask at the same moment', async () => {
    const made = await make({ ranges: [{ from: '192.0.2.1', to: '192.0.2.50' }] })
    const claims = await Promise.allSettled(Array.from({ length: 51 }, () => claim(made.id)))
    const addresses = claims.flatMap((one) => (one.status === 'fulfilled' ? [one.value.address] : []))
    expect(addresses).toHaveLength(50)
    expect(new Set(addresses).size).toBe(50)
    expect(claims.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { type: 'network-full' } })
    expect((await get(made.id)).addresses).toEqual({ total: 50, free: 0 })
  })

  it('is found without reading those that are had, whatever Postgres believes of its tables', async () => {
    const made = await make({ cidr: '10.0.0.0/16' })
    expect(await desk.rowsReadBy({ networkId: made.id })).toBeLessThan(10)
    await engine.query(
      `UPDATE network_addresses SET holder_noun = 'guest', holder_id = address::text
       WHERE network_id = $1 AND address < '10.0.200.0'`,
      [made.id],
    )
    await engine.query('ANALYZE network_addresses')
    expect(await desk.rowsReadBy({ networkId: made.id })).toBeLessThan(10)
  })

  it('does not wait for a claim that is under way, and comes back when that is undone', async () => {
    const made = await make({ ranges: [{ from: '192.0.2.1', to: '192.0.2.2' }] })
    const open = await desk.claimAndHold({ networkId: made.id })
    expect(open.address).toBe('192.0.2.1')
    expect((await claim(made.id)).address).toBe('192.0.2.2')
    // the last one is only being taken: whoever comes now learns how that ends
    const third = claim(made.id)
    await open.undo()
    expect((await third).address).toBe('192.0.2.1')
  })

  it('that is being claimed keeps its network', async () => {
    const made = await make()
    const open = await desk.claimAndHold({ networkId: made.id })
    const deleting = engine.http.delete(`${networks}/${made.id}`)
    await desk.untilSomebodyWaits()
    await open.keep()
    expect((await deleting).status).toBe(409)
  })
})
