import { readFileSync } from 'node:fs'
import { eventually } from '../support/eventually.js'
import type { Plane } from '../trial/support/plane.js'
import { Connections } from './support/connections.js'
import { describeWithHosts } from './support/described.js'
import { MAKING_MS } from './support/image.js'
import { IscsiServer } from './support/iscsi-server.js'
import { AGENT_LOG, AGENT_STATE, OUTSIDE, type VirtualHost } from './support/virtual-host.js'
import { countNow, watching } from './support/watch.js'
import { World } from './support/world.js'

const iqn = 'iqn.2026-11.org.example:guarded'
const chap = { user: 'joe', password: 'correct-horse-battery' }
const wrongPassword = 'wrong-horse-staple'
/** Where iscsiadm keeps its records, for root alone. */
const RECORDS = ['/etc/iscsi/nodes', '/var/lib/iscsi/nodes']

describeWithHosts('an iSCSI target that wants a password', () => {
  let world: World
  let plane: Plane
  let host: VirtualHost
  let held: Connections
  let iscsi: IscsiServer

  beforeAll(async () => {
    world = await World.make()
    ;[plane, host] = await world.planeAndHost()
    iscsi = world.with(await IscsiServer.start(world.ground, [{ iqn, chap }]))
    held = await Connections.of(plane, host)
  }, MAKING_MS + 300_000)
  afterAll(() => world?.end(), 60_000)

  const wanted = (chapPassword: string) => ({
    uri: `iscsi://${OUTSIDE}:${iscsi.ports[0]}/${iqn}`,
    options: { chapUser: chap.user },
    credentials: { chapPassword },
  })

  it('is shown with the type of the error while the password is wrong, and connects with the right one', async () => {
    const words: Record<string, number> = {}
    for (const password of [wrongPassword, chap.password]) {
      const { most } = await watching(host, ['arguments', password], async () => {
        if (password === wrongPassword) {
          expect(await held.put('guarded', wanted(password))).toMatchObject({ status: 202 })
          const row = await held.shows('guarded', { operatingStatus: 'DOWN', connected: false })
          expect(row.lastError).toMatchObject({ type: expect.stringContaining('authentication'), number: 476 })
        } else {
          const etag = (await held.get('guarded')).headers.get('etag') ?? ''
          expect(await held.put('guarded', wanted(password), { 'if-match': etag })).toMatchObject({ status: 202 })
          await held.up('guarded')
        }
      })
      words[password] = most
    }
    expect(words).toEqual({ [wrongPassword]: 0, [chap.password]: 0 })
    expect(await countNow(host, ['sessions', iqn])).toBe(1)
  }, 240_000)

  it('has its password in no reply, event, log, journal and process list; iscsiadm’s record is for root alone', async () => {
    const replies = await Promise.all([
      held.get('guarded'),
      plane.rest.get(`/api/v1/hosts/${held.hostId}/storage-connections`),
      plane.rest.get('/api/v1/events?limit=500'),
      plane.rest.get('/api/v1/commands?limit=500'),
      plane.rest.get('/api/v1/audit?limit=500'),
    ])
    for (const reply of replies) expect(reply.status).toBe(200)
    const told = [
      ...replies.map(({ body }) => JSON.stringify(body)),
      plane.log,
      await host.keelson(['agent', 'status']),
    ]
    for (const password of [wrongPassword, chap.password]) {
      expect(told.filter((text) => text.includes(password))).toEqual([])
      // agents' logs and journal, the guest's own logs and what it keeps in memory
      const files = await host.run([
        'grep',
        '-rlF',
        '--',
        password,
        AGENT_STATE,
        AGENT_LOG,
        '/var/log',
        '/run',
        '/tmp',
        '/etc',
      ])
      const found = files.stdout.split('\n').filter((file) => file !== '')
      expect(found.filter((file) => !RECORDS.some((directory) => file.startsWith(`${directory}/`)))).toEqual([])
      for (const file of found) expect(await host.exec(['stat', '-c', '%a %U', file])).toBe('600 root\n')
      expect(readFileSync(world.ground.path('h1.console'), 'utf8')).not.toContain(password)
    }
    await held.release('guarded')
    const left = () => host.run(['grep', '-rlF', '--', chap.password, '/etc', '/var/lib', '/run'])
    await eventually(async () => expect((await left()).stdout).toBe(''), { timeoutMs: 30_000, intervalMs: 500 })
  }, 240_000)
})
