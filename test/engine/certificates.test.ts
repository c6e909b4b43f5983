import { randomUUID } from 'node:crypto'
import { createListener } from '../../src/engine/balancing/edits/listeners.js'
import type { BalancingApply } from '../../src/wire/balancing/commands.js'
import { callerWith, createProject } from '../support/callers.js'
import type { Body, HttpReply } from '../support/http.js'
import { type IssuedCertificate, issueCertificate } from '../support/issued-certificate.js'
import { WireAgent } from '../support/wire-agent.js'
import {
  administrator,
  type BalancingEngine,
  balancingAgent,
  intentIn,
  startBalancingEngine,
} from './support/balancing.js'

const certificates = '/api/v1/certificates'
let engine: BalancingEngine
let agent: WireAgent
let own: IssuedCertificate
let next: IssuedCertificate

beforeAll(async () => {
  engine = await startBalancingEngine()
  await engine.http.put('/api/v1/settings/sessions.silenceMs', { value: 300_000 })
  agent = await balancingAgent(engine, 'c1')
  own = await issueCertificate({ names: ['shop.example', 'www.shop.example'] })
  next = await issueCertificate({ names: ['shop.example'] })
})
afterAll(async () => {
  agent?.vanish()
  await engine?.stop()
})

const said = ({ certPem, privateKeyPem }: IssuedCertificate, name = `c-${randomUUID()}`) => ({
  name,
  chainPem: certPem,
  privateKeyPem,
})

async function upload(body: object = said(own)): Promise<Body> {
  const reply: HttpReply<Body> = await engine.http.post(certificates, body)
  if (reply.status !== 201) throw new Error(JSON.stringify(reply.body))
  return reply.body
}

const shown = (defaultCertificateId: string, sniCertificateIds: string[] = []) =>
  engine.make({
    build: createListener({ protocol: 'TERMINATED_HTTPS', protocolPort: 443, defaultCertificateId, sniCertificateIds }),
  })

describe('a certificate', () => {
  it('is shown with its names and its end, and never its key', async () => {
    const made = await upload()
    expect(made).toMatchObject({ dnsNames: ['shop.example', 'www.shop.example'], notAfter: own.notAfter.toISOString() })
    const { body } = await engine.http.get(`${certificates}/${made.id}`)
    const list = await engine.http.get(`${certificates}?name=${made.name}`)
    expect(list.body.items).toEqual([body])
    expect(JSON.stringify([made, body])).not.toContain('PRIVATE')
  })

  it('is refused with the field at fault, and nothing is kept of it', async () => {
    const name = `c-${randomUUID()}`
    const reply = await engine.http.post(certificates, { ...said(own, name), chainPem: next.certPem })
    expect(reply).toMatchObject({ status: 422, body: { faults: [{ field: 'privateKeyPem' }] } })
    expect((await engine.http.get(`${certificates}?name=${name}`)).body.items).toEqual([])
  })

  it('has a name of its own in its project', async () => {
    const { name } = await upload()
    expect(await engine.http.post(certificates, said(next, name))).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:name-taken' },
    })
  })

  it('does not exist for other projects', async () => {
    const { id } = await upload()
    const stranger = await callerWith(engine, { projects: { [await createProject(engine)]: 'operator' } })
    expect((await stranger.http.get(`${certificates}/${id}`)).status).toBe(404)
    expect((await stranger.http.put(`${certificates}/${id}`, said(next))).status).toBe(404)
    expect((await stranger.http.delete(`${certificates}/${id}`)).status).toBe(404)
  })

  it('goes with its key to the device that shows it', async () => {
    const { id, chainPem } = await upload()
    await shown(id)
    const command = await agent.command()
    expect(intentIn(command).certificates).toEqual([{ id, chainPem }])
    expect((command.payload as BalancingApply).keys?.[id]).toContain('BEGIN PRIVATE KEY')
    await agent.report(command, { result: {} })
  })

  it('stays while a listener shows it, whose name is told', async () => {
    const [first, second] = [await upload(), await upload(said(next))]
    const tree = await shown(first.id, [second.id])
    await agent.report(await agent.command(), { result: {} })
    for (const { id } of [first, second])
      expect(await engine.http.delete(`${certificates}/${id}`)).toMatchObject({
        status: 409,
        body: { users: [{ noun: 'listener', id: tree.listeners[0]!.id }] },
      })
    expect((await engine.http.delete(`${certificates}/${(await upload()).id}`)).status).toBe(204)
  })
})

describe('a renewal', () => {
  const balancer = (id: string) => engine.balancers.require(administrator, id)

  it('goes to every balancer that shows the certificate, and to no other', async () => {
    const { id, name } = await upload()
    const [one, two] = [await shown(id), await shown((await upload(said(next))).id, [id])]
    const other = await engine.make()
    for (let n = 0; n < 3; n++) await agent.report(await agent.command(), { result: {} })
    const reply = await engine.http.put(`${certificates}/${id}`, said(next, name))
    expect(reply).toMatchObject({ status: 200, body: { generation: 2, dnsNames: ['shop.example'] } })
    const told = [await agent.command(), await agent.command()]
    expect(told.map((command) => intentIn(command).id).sort()).toEqual(
      [one, two].map(({ loadBalancer }) => loadBalancer.id).sort(),
    )
    for (const command of told) {
      expect(intentIn(command).certificates.find((shownOne) => shownOne.id === id)?.chainPem).toBe(reply.body.chainPem)
      await agent.report(command, { result: {} })
    }
    expect((await balancer(one.loadBalancer.id)).listeners).toMatchObject([{ provisioningStatus: 'ACTIVE' }])
    expect((await balancer(other.loadBalancer.id)).loadBalancer.generation).toBe(1)
  })

  it('with the same is none', async () => {
    const { id, name } = await upload()
    const tree = await shown(id)
    await agent.report(await agent.command(), { result: {} })
    expect((await engine.http.put(`${certificates}/${id}`, said(own, name))).body.generation).toBe(1)
    expect((await balancer(tree.loadBalancer.id)).loadBalancer.generation).toBe(1)
  })

  it('of what somebody else has changed is refused, and does nothing', async () => {
    const { id, name } = await upload()
    const headers = { 'if-match': '"g7"' }
    expect((await engine.http.put(`${certificates}/${id}`, said(next, name), { headers })).status).toBe(412)
    expect((await engine.http.get(`${certificates}/${id}`)).body.generation).toBe(1)
  })

  it('while a balancer is pending goes into its next generation', async () => {
    const { id, name } = await upload()
    const tree = await shown(id)
    const first = await agent.command()
    expect((await engine.http.put(`${certificates}/${id}`, said(next, name))).status).toBe(200)
    const second = await agent.command()
    expect(second).toMatchObject({ kind: 'balancing.apply', generation: 2 })
    await agent.report(first, { result: {} })
    await agent.report(second, { result: {} })
    expect((await balancer(tree.loadBalancer.id)).loadBalancer).toMatchObject({
      provisioningStatus: 'ACTIVE',
      goodGeneration: 2,
    })
  })

  it('goes to more balancers than are looked up at once, to all of them or to none', async () => {
    const [{ id, name }, { name: taken }] = [await upload(), await upload()]
    const MANY = 130
    for (let made = 0; made < MANY; made += 10) await Promise.all(Array.from({ length: 10 }, () => shown(id)))
    const generations = () =>
      engine.query(
        `SELECT b.generation, count(*)::int FROM load_balancers b
         JOIN listeners l ON l.load_balancer_id = b.id WHERE l.default_certificate_id = $1 GROUP BY 1`,
        [id],
      )
    expect((await engine.http.put(`${certificates}/${id}`, said(next, taken))).status).toBe(409)
    expect(await generations()).toEqual([{ generation: 1, count: MANY }])
    expect((await engine.http.put(`${certificates}/${id}`, said(next, name))).body.generation).toBe(2)
    expect(await generations()).toEqual([{ generation: 2, count: MANY }])
  })
})
