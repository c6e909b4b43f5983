import type { Allow } from '../../src/engine/platform/caller.js'
import { callerWith, createProject, createUser, issue } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { issueCertificate } from '../support/issued-certificate.js'
import { type DocumentedOperation, documentedOperations } from '../support/operations.js'
import { type Route, routesMadeBy } from '../support/routes.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

/** Who may call: in the whole plane, or in the project that the thing belongs to. */
const columns = [
  'anonymous',
  'an expired token',
  'a revoked token',
  'a viewer of the plane',
  'an operator of the plane',
  'an administrator of the plane',
  'a viewer of the project',
  'an operator of another project',
  "an administrator's token, good for viewing",
  "an administrator's token, good for the project",
] as const
type Kind = (typeof columns)[number]

/**
 * What follows from the decision that stands at a route. 404 is for things of the project: where there is none in the path, the
 * route is open, and shows nothing of them.
 */
const table: Readonly<Record<string, string>> = {
  anyone: '            ok  ok  ok   ok  ok  ok   ok  ok   ok  ok',
  'signed-in': '       401 401 401  ok  ok  ok   ok  ok   ok  ok',
  'plane viewer': '    401 401 401  ok  ok  ok   403 403  ok  403',
  'plane operator': '  401 401 401  403 ok  ok   403 403  403 403',
  'plane admin': '     401 401 401  403 403 ok   403 403  403 403',
  'project viewer': '  401 401 401  ok  ok  ok   ok  404  ok  ok',
  'project operator': '401 401 401  403 ok  ok   403 404  403 ok',
  'project admin': '   401 401 401  403 403 ok   403 403  403 ok',
}

const decisionOf = (allow: Allow): string =>
  typeof allow === 'string' ? allow : `${Object.keys(allow)[0]} ${Object.values(allow)[0]}`

const operations = documentedOperations()
const tokens = new Map<Kind, string | undefined>()
let engine: TestEngine
let routes: readonly Route[]
let project: string
let hostId: string
let commandId: string
let storageId: string
let networkId: string
let targetId: string
let certificateId: string
let guests: Record<'image' | 'volume' | 'guest' | 'snapshot', string>
/** A load balancer and one of each thing under it, by their tables. */
let balancing: Record<BalancingTable, string>
/** Whose roles are given and taken. */
let victim: string

const balancingTables = [
  'load_balancers',
  'listeners',
  'pools',
  'members',
  'health_monitors',
  'l7_policies',
  'l7_rules',
] as const
type BalancingTable = (typeof balancingTables)[number]

const nobody = '00000000-0000-4000-8000-00000000dead'
const at = (path: string, id: string) => ({ there: `${path}/${id}`, nowhere: `${path}/${nobody}` })

/** Things of the project, by the beginning of the paths that are about them: where one is, and where none is. */
const things: Readonly<Record<string, () => { readonly there: string; readonly nowhere: string }>> = {
  '/api/v1/projects/{id}': () => at('/api/v1/projects', project),
  '/api/v1/commands/{id}': () => at('/api/v1/commands', commandId),
  '/api/v1/hosts/{hostId}/storage-connections/{connectionId}': () =>
    at(`/api/v1/hosts/${hostId}/storage-connections`, 'of-the-project'),
  '/api/v1/storages/{id}': () => at('/api/v1/storages', storageId),
  '/api/v1/networks/{id}': () => at('/api/v1/networks', networkId),
  '/api/v1/load-balancers/{id}': () => at('/api/v1/load-balancers', balancing.load_balancers),
  '/api/v1/certificates/{id}': () => at('/api/v1/certificates', certificateId),
  '/api/v1/images/{id}': () => at('/api/v1/images', guests.image),
  '/api/v1/volumes/{id}': () => at('/api/v1/volumes', guests.volume),
  '/api/v1/guests/{id}/snapshots/{snapshotId}': () => at(`/api/v1/guests/${guests.guest}/snapshots`, guests.snapshot),
  '/api/v1/guests/{id}/disks/{volumeId}': () => at(`/api/v1/guests/${guests.guest}/disks`, guests.volume),
  '/api/v1/guests/{id}': () => at('/api/v1/guests', guests.guest),
  '/api/v1/listeners/{id}': () => at('/api/v1/listeners', balancing.listeners),
  '/api/v1/pools/{poolId}/members/{id}': () => at(`/api/v1/pools/${balancing.pools}/members`, balancing.members),
  '/api/v1/pools/{poolId}': () => at('/api/v1/pools', balancing.pools),
  '/api/v1/pools/{id}': () => at('/api/v1/pools', balancing.pools),
  '/api/v1/health-monitors/{id}': () => at('/api/v1/health-monitors', balancing.health_monitors),
  '/api/v1/l7-policies/{policyId}/rules/{id}': () =>
    at(`/api/v1/l7-policies/${balancing.l7_policies}/rules`, balancing.l7_rules),
  '/api/v1/l7-policies/{policyId}': () => at('/api/v1/l7-policies', balancing.l7_policies),
  '/api/v1/l7-policies/{id}': () => at('/api/v1/l7-policies', balancing.l7_policies),
  '/api/v1/storage-targets/{targetId}': () => at('/api/v1/storage-targets', targetId),
}
/** Parameters that name what is the plane's own. */
const planes: readonly string[] = ['{hostId}']

beforeAll(async () => {
  routes = await routesMadeBy(async () => {
    engine = await startTestEngine()
  })
  // two kinds of callers fail at each operation
  await engine.http.put('/api/v1/settings/limits.failuresPerMinute', { value: 10_000 })
  project = await createProject(engine)
  hostId = (await engine.http.post('/api/v1/hosts', { name: 'without-an-agent' })).body.id
  const body = { uri: 'local:///srv/a', projectId: project }
  const made = await engine.http.put(`/api/v1/hosts/${hostId}/storage-connections/of-the-project`, body)
  commandId = made.body.commandId
  const able = helloOf('with-an-agent', { capabilities: ['storage:local', 'balancing:simulated'] })
  const agent = await WireAgent.open(engine.tcp, able)
  const connection = `/api/v1/hosts/${agent.hostId}/storage-connections/of-the-project`
  await engine.http.put(connection, body)
  await agent.report(await agent.command())
  targetId = (await engine.http.get(connection)).body.targetId
  const storage = { name: 'of-the-project', uri: 'local:///srv/a', projectId: project, selector: { hostIds: [hostId] } }
  storageId = (await engine.http.post('/api/v1/storages', storage)).body.id
  // it goes only when that host has let go
  await eventually(async () =>
    expect((await engine.http.get(`/api/v1/storages/${storageId}`)).body.hosts.total).toBe(1),
  )
  const network = { name: 'of-the-project', cidr: '198.51.100.0/29', projectId: project }
  networkId = (await engine.http.post('/api/v1/networks', network)).body.id
  // it stays while an address of it is had
  const held = `UPDATE network_addresses SET holder_noun = 'load-balancer', holder_id = 'of-the-project', project_id = $2
                WHERE network_id = $1 AND address = '198.51.100.1'`
  await engine.query(held, [networkId, project])
  balancing = await balancingOf(project)
  certificateId = await certificateOf(project)
  guests = await guestOf(project)
  // what a listener shows stays
  const shows = 'UPDATE listeners SET default_certificate_id = $1 WHERE id = $2'
  await engine.query(shows, [certificateId, balancing.listeners])
  // the balancer stays as it is: nobody answers for it
  agent.vanish()
  victim = await createUser(engine)
  const other = await createProject(engine)
  const admin = await createUser(engine, { plane: 'admin' })
  const callers = {
    'an expired token': await issue(engine, admin, { state: 'expired' }),
    'a revoked token': await issue(engine, admin, { state: 'revoked' }),
    'a viewer of the plane': await callerWith(engine, { plane: 'viewer' }),
    'an operator of the plane': await callerWith(engine, { plane: 'operator' }),
    'an administrator of the plane': await issue(engine, admin),
    'a viewer of the project': await callerWith(engine, { projects: { [project]: 'viewer' } }),
    'an operator of another project': await callerWith(engine, { projects: { [other]: 'operator' } }),
    "an administrator's token, good for viewing": await issue(engine, admin, { role: 'viewer' }),
    "an administrator's token, good for the project": await issue(engine, admin, { projectId: project }),
  }
  for (const [kind, { token }] of Object.entries(callers)) tokens.set(kind as Kind, token)
})

/** A guest as it stands, with its image and a disk that is kept. */
async function guestOf(projectId: string) {
  const [found] = await engine.query<typeof guests>(
    `WITH i AS (
       INSERT INTO images (project_id, name, format, connection_id, files, has_agent)
       VALUES ($1, 'of-the-project', 'qcow2', 'of-the-project', '[]', true) RETURNING id
     ), g AS (
       INSERT INTO guests (project_id, name, image_id, vcpus, memory_mib, restart_policy, boot_timeout_ms, prepare_timeout_ms,
         stop_grace_ms, host_id, provisioning_status)
       SELECT $1, 'of-the-project', i.id, 1, 64, 'never', 1000, 1000, 0, $2, 'ACTIVE' FROM i RETURNING id
     ), v AS (
       INSERT INTO volumes (project_id, name, connection_id, host_id, format, size_mib, guest_id, position, provisioning_status)
       SELECT $1, 'of-the-project', 'of-the-project', $2, 'raw', 64, g.id, 0, 'ACTIVE' FROM g RETURNING id
     ), s AS (
       INSERT INTO guest_snapshots (guest_id, project_id, name, volumes, provisioning_status)
       SELECT g.id, $1, 'of-the-project', '[]', 'PENDING_CREATE' FROM g RETURNING id
     )
     SELECT (SELECT id FROM s) AS snapshot, (SELECT id FROM i) AS image, (SELECT id FROM v) AS volume, (SELECT id FROM g) AS guest`,
    [projectId, hostId],
  )
  return found!
}

async function certificateOf(projectId: string): Promise<string> {
  const { certPem, privateKeyPem } = await issueCertificate({ names: ['of-the-project'] })
  const body = { name: 'of-the-project', chainPem: certPem, privateKeyPem, projectId }
  return (await engine.http.post('/api/v1/certificates', body)).body.id
}

async function balancingOf(projectId: string): Promise<Record<BalancingTable, string>> {
  const rules = [{ type: 'PATH', compareType: 'EQUAL_TO', value: '/' }]
  const defaultPool = {
    name: 'of-the-project',
    protocol: 'HTTP',
    lbAlgorithm: 'ROUND_ROBIN',
    members: [{ address: '198.51.100.6', protocolPort: 80 }],
    healthMonitor: { type: 'TCP', delay: 5, timeout: 3, maxRetries: 2 },
  }
  const listeners = [{ protocol: 'HTTP', protocolPort: 80, defaultPool, l7Policies: [{ action: 'REJECT', rules }] }]
  const body = { name: 'of-the-project', projectId, vipNetworkId: networkId, listeners }
  const { status } = await engine.http.post('/api/v1/load-balancers', body)
  expect(status).toBe(202)
  const found = balancingTables.map(async (table) => {
    const [row] = await engine.query<{ id: string }>(`SELECT id FROM ${table}`)
    return [table, row!.id]
  })
  return Object.fromEntries(await Promise.all(found)) // each table is there
}

/** What a call before may have taken away. */
beforeEach(async () => {
  await engine.query(
    `INSERT INTO role_bindings (user_id, project_id, role) VALUES ($1, NULL, 'viewer'), ($1, $2, 'viewer')
     ON CONFLICT DO NOTHING`,
    [victim, project],
  )
})
afterAll(() => engine?.stop())

const thingOf = ({ path }: DocumentedOperation) =>
  Object.entries(things).find(([template]) => path === template || path.startsWith(`${template}/`))

function pathOf(operation: DocumentedOperation, place: 'there' | 'nowhere'): string {
  const [template, thing] = thingOf(operation) ?? ['', null]
  return `${thing?.()[place] ?? ''}${operation.path.slice(template.length)}`
    .replace('{hostId}', hostId)
    .replace('{userId}', victim)
    .replace('{place}', 'plane')
    .replace('{key}', 'sessions.silenceMs')
    .replace(/\{\w+\}/g, nobody)
}

interface Answer {
  readonly status: number
  readonly text: string
}

async function call(kind: Kind, operation: DocumentedOperation, place: 'there' | 'nowhere'): Promise<Answer> {
  const { method, body } = operation
  const token = tokens.get(kind)
  const ending = new AbortController()
  const reply = await fetch(`${engine.url}${pathOf(operation, place)}`, {
    method,
    signal: ending.signal,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(method === 'GET' || method === 'POST' ? {} : { 'if-match': '*' }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const endless = reply.headers.get('content-type')?.startsWith('text/event-stream')
  const text = endless ? '' : await reply.text()
  if (endless) ending.abort()
  return { status: reply.status, text }
}

/** The body without what differs from one request to another. */
const bare = ({ status, text }: Answer, path: string) =>
  `${status} ${text.replaceAll(path.split('/').at(-1)!, '…').replaceAll(path, '…')}`.replace(/"requestId":"[^"]*"/, '')

function expectedOf(kind: Kind, operation: DocumentedOperation): string {
  const row = table[decisionOf(operation.allow)]?.trim().split(/\s+/) ?? []
  const told = row[columns.indexOf(kind)] ?? 'no row of the table'
  return told === '404' && !thingOf(operation) ? 'ok' : told
}

/** A token may not do these, or not as the example asks, whoever its user is: `sessions` and `tokens` are tested for that. */
const notByToken: readonly string[] = ['session.changePassword', 'session.signOut', 'tokens.create']

describe('every route of the running application', () => {
  const documented = new Set(operations.map(({ method, path }) => `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`))

  it('is an operation of the document, or of its reader', () => {
    const others = routes.filter(
      // the Octavia API has a reference of its own, and its decisions a test: octavia-decisions
      ({ method, url }) =>
        !/^\/((docs|v2|v2\.0|projects|v3\/projects)(\/|$)|$)/.test(url) &&
        !documented.has(`${method.replace('HEAD', 'GET')} ${url}`),
    )
    expect(others).toEqual([])
    expect(routes.length).toBeGreaterThan(documented.size)
  })

  it.each(operations)('$id has one decision that the table knows', ({ allow }) => {
    expect(Object.keys(table)).toContain(decisionOf(allow))
  })

  it('of a project says in this test what it is about', () => {
    const open = operations.filter(({ allow }) => decisionOf(allow).startsWith('project'))
    const parameters = (path: string) => (path.match(/\{\w+\}/g) ?? []).filter((name) => !planes.includes(name))
    const silent = open.filter((operation) => parameters(operation.path).length > 0 && !thingOf(operation))
    expect(silent.map(({ id }) => id)).toEqual([])
  })

  it.each(operations.filter(({ method, allow }) => method === 'GET' && allow !== 'anyone'))(
    '$id asks for credentials before it answers a HEAD',
    async (operation) => {
      const reply = await fetch(`${engine.url}${pathOf(operation, 'there')}`, { method: 'HEAD' })
      expect(reply.status).toBe(401)
    },
  )
})

describe.each(columns)('to %s', (kind) => {
  it.each(operations)('$id says what its decision says', async (operation) => {
    const answer = await call(kind, operation, 'there')
    const expected = expectedOf(kind, operation)
    if (expected !== 'ok') {
      expect(`${answer.status} ${answer.text}`).toMatch(new RegExp(`^${expected} `))
      return
    }
    if (notByToken.includes(operation.id)) {
      expect(answer.status).toBeLessThan(500)
      return
    }
    // what it does then is the matter of other tests: nothing may be wrong but the request
    const told = `${answer.status} ${answer.text}`
    expect(told).not.toMatch(/^40[13] .*"urn:keelson:problem:(unauthenticated|forbidden)"/)
    expect(told).not.toMatch(thingOf(operation) ? /^(404|5\d\d) / : /^5\d\d /)
  })
})

describe('to an operator of another project', () => {
  const kind = 'an operator of another project'

  it.each(operations.filter((operation) => thingOf(operation) && expectedOf(kind, operation) === '404'))(
    '$id says of a thing of the project what it says of one that is not there',
    async (operation) => {
      const answers = [await call(kind, operation, 'there'), await call(kind, operation, 'nowhere')]
      const { there, nowhere } = thingOf(operation)![1]()
      expect(bare(answers[0]!, there)).toBe(bare(answers[1]!, nowhere))
    },
  )

  it.each(operations.filter((operation) => !thingOf(operation) && operation.method === 'GET'))(
    '$id shows nothing of the project',
    async (operation) => {
      const { text } = await call(kind, operation, 'there')
      for (const mark of [project, commandId, 'of-the-project']) expect(text).not.toContain(mark)
    },
  )
})
