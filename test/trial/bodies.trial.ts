import { readFileSync } from 'node:fs'
import { DEFAULT_PROJECT } from '../../src/engine/identity/project.entity.js'
import { quotaResources } from '../../src/engine/identity/quota-resources.js'
import { balancingBodies } from './support/balancing-bodies.js'
import { abusesOf, type Fields } from './support/body-abuses.js'
import { withClient } from './support/ends-audit.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { guestBodies } from './support/guest-bodies.js'
import { OutsidePostgres } from './support/outside-postgres.js'
import { Plane } from './support/plane.js'
import { sendRaw } from './support/raw-http.js'

interface Operation {
  readonly operationId: string
  readonly requestBody?: object
}

/** On no host. */
const storage: Fields = {
  name: 'never-made',
  uri: 'iscsi://192.0.2.1/iqn.2026-01.org.example:never?chapUser=never',
  options: { lun: '1' },
  credentials: { chapPassword: 'never-never-never' },
  selector: { labels: { rack: 'never' }, hostIds: [], exceptHostIds: [] },
}

/** What each operation's body should be; none where it takes none. */
const bodies: Readonly<Record<string, Fields>> = {
  ...balancingBodies,
  ...guestBodies,
  'enrolment.create': { token: `kjt_${'A'.repeat(100)}`, name: 'never', csr: '-----BEGIN CERTIFICATE REQUEST-----' },
  'hosts.create': { name: 'never-made', labels: { rack: 'a' } },
  'hosts.update': { labels: { rack: 'b' } },
  'hosts.maintain': { reason: 'never' },
  'identityProviders.create': {
    name: 'never-made',
    issuer: 'https://login.example.org',
    clientId: 'never',
    enabled: true,
  },
  'identityProviders.update': { displayName: 'Never', clientId: 'never', enabled: false },
  'session.changePassword': { current: 'never a password', next: 'never another password' },
  'session.signIn': { name: 'nobody', password: 'never a password' },
  'tokens.create': { name: 'never-made', role: 'viewer', unlimited: false },
  'userTokens.create': { name: 'never-made', role: 'viewer', unlimited: false },
  'users.create': { kind: 'person', name: 'never-made', displayName: 'Never' },
  'users.update': { displayName: 'Never', disabled: true },
  'projects.create': { name: 'never-made', description: 'never' },
  'projects.update': { name: 'never', description: 'never' },
  'projects.limit': {
    guests: 1,
    vcpus: 2,
    memoryMiB: 1024,
    loadBalancers: 1,
    listeners: 1,
    members: 1,
    connections: 1,
  },
  'projectRoleBindings.put': { role: 'viewer' },
  'userRoleBindings.put': { role: 'viewer' },
  'hosts.revoke': { reason: 'never' },
  'joinTokens.create': { name: 'never', lifeMs: 60_000, uses: 1, replace: false },
  'settings.put': { value: 20_000 },
  'storageConnections.put': {
    uri: 'iscsi://192.0.2.1/iqn.2026-01.org.example:never?chapUser=never',
    options: { lun: '1' },
    credentials: { chapPassword: 'never-never-never' },
    projectId: DEFAULT_PROJECT,
  },
  'storages.create': { ...storage, projectId: DEFAULT_PROJECT },
  'storages.put': storage,
  'storages.update': storage,
}
/** A reason and a description may be empty, a limit and a gateway may be none. */
const harmless: readonly string[] = [
  'reason: ""',
  'description: ""',
  'displayName: ""',
  'role: null',
  'gateway: null',
  ...quotaResources.map((resource) => `${resource}: null`),
]
const methods = ['post', 'put', 'patch', 'delete']
const nobody = '00000000-0000-4000-8000-00000000dead'

const { paths } = JSON.parse(readFileSync('openapi.json', 'utf8')) as {
  paths: Record<string, Record<string, Operation>>
}
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => methods.includes(method))
    .map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
)

const figures = new Figures('Bodies that no client should send')
const ground = new Ground()
let postgres: OutsidePostgres
let plane: Plane
let hostId: string
let userId: string
let providerId: string
let storageId: string
let networkId: string
let sent = 0
const statuses = new Map<number, number>()

beforeAll(async () => {
  postgres = await OutsidePostgres.create(ground, 'postgres')
  plane = await Plane.start(ground, { databaseUrl: postgres.url })
  hostId = (await plane.rest.send('POST', '/api/v1/hosts', { name: 'there' })).body.id
  userId = (await plane.rest.send('POST', '/api/v1/users', { kind: 'service', name: 'there' })).body.id
  const provider = { name: 'there', issuer: 'https://login.example.org', clientId: 'there' }
  providerId = (await plane.rest.send('POST', '/api/v1/identity-providers', provider)).body.id
  const network = { name: 'there', cidr: '198.51.100.0/24' }
  networkId = (await plane.rest.send('POST', '/api/v1/networks', network)).body.id
  storageId = (await plane.rest.send('POST', '/api/v1/storages', { ...storage, name: 'there' })).body.id
})

afterAll(async () => {
  figures.add('mutating operations', operations.length)
  figures.add('requests', sent)
  figures.add('replies', [...statuses].map(([status, count]) => `${status}: ${count}`).join(', '))
  figures.print()
  await plane?.stop()
  await postgres?.stop()
  ground.clear()
})

/** All that can be stored, as one hash for each table; leases and schedules move by themselves. */
async function stored(): Promise<object> {
  const tables = [
    'hosts',
    'projects',
    'role_bindings',
    'host_certificates',
    'join_tokens',
    'storage_connections',
    'storages',
    'storage_refusals',
    'networks',
    'network_addresses',
    'load_balancers',
    'certificates',
    'images',
    'volumes',
    'guests',
    'guest_messages',
    'guest_snapshots',
    'guest_claims',
    'host_promises',
    'commands',
    'events',
    'settings',
    'tombstones',
    'quarantine',
    'idempotency_keys',
    'identity_providers',
    'users',
    'role_bindings',
    'web_sessions',
  ]
  return withClient(postgres.url, async (client) => {
    const contents: [string, unknown][] = []
    for (const table of tables) {
      const { rows } = await client.query(
        `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`,
      )
      contents.push([table, rows[0]])
    }
    return Object.fromEntries(contents)
  })
}

/** Where there is a body to be refused for, the thing exists; else nobody does. */
function pathOf(path: string, withBody: boolean): string {
  const things: Readonly<Record<string, string>> = {
    projects: DEFAULT_PROJECT,
    users: userId,
    'identity-providers': providerId,
    storages: storageId,
    networks: networkId,
  }
  const thing = things[path.split('/')[3] ?? ''] ?? hostId
  return path
    .replace('{hostId}', withBody ? hostId : nobody)
    .replace('{id}', withBody ? thing : nobody)
    .replace('{userId}', withBody ? userId : nobody)
    .replace('{tokenId}', nobody)
    .replace('{place}', 'plane')
    .replace('{connectionId}', 'never')
    .replace('{targetId}', nobody)
    .replace('{snapshotId}', nobody)
    .replace('{volumeId}', nobody)
    .replace('{key}', 'sessions.silenceMs')
}

it('has a body here for each operation that takes one', () => {
  const taking = operations.filter(({ requestBody }) => requestBody).map(({ operationId }) => operationId)
  expect(taking.sort()).toEqual(Object.keys(bodies).sort())
})

it.each(operations)(
  '$method $path is answered with a 4xx problem document each time, and stores nothing',
  async (operation) => {
    const fields = bodies[operation.operationId] ?? {}
    const before = await stored()
    const faults: string[] = []
    for (const abuse of abusesOf(fields).filter(({ name }) => !harmless.includes(name))) {
      const headers: Record<string, string> = {
        host: plane.http,
        'content-type': 'application/json',
        authorization: `Bearer ${plane.rest.token}`,
        'content-length': String(abuse.bytes.length),
        ...abuse.headers,
      }
      const path = pathOf(operation.path, operation.requestBody !== undefined)
      const head = [
        `${operation.method} ${path} HTTP/1.1`,
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ]
      const reply = await replied(() => sendRaw(plane.http, head, abuse.bytes))
      sent += 1
      statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1)
      const fine = reply.status >= 400 && reply.status < 500 && reply.contentType.startsWith('application/problem+json')
      if (!fine) faults.push(`${abuse.name}: ${reply.status} ${reply.contentType} ${reply.body.slice(0, 200)}`)
    }
    expect(faults).toEqual([])
    expect(await stored()).toEqual(before)
  },
)

it('leaves an engine that works, and has polluted nothing', async () => {
  expect((await plane.rest.get('/health/ready')).status).toBe(200)
  const made = await plane.rest.send('POST', '/api/v1/hosts', { name: 'afterwards' })
  expect(made).toMatchObject({ status: 201 })
  expect(made.body).not.toHaveProperty('admin')
})

/** The end of a connection may overtake the reply that it follows, where the engine does not read on: so it is asked again. */
async function replied<R extends { readonly status: number }>(ask: () => Promise<R>): Promise<R> {
  for (let left = 3; ; left--) {
    const reply = await ask()
    if (reply.status !== 0 || left === 0) return reply
  }
}
