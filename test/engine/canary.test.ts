import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keysOf, programNames } from '../../src/config/programs.js'
import { readJoinToken, writeJoinToken } from '../../src/wire/join-token.js'
import { freePort } from '../support/address.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { keelson, type TestProcess } from '../support/process.js'
import { type Planting, secretOf } from './support/secret-field.js'
import { asOwner, secretFields, spellingsOf } from './support/secrets.js'

/** Properties that are named like a secret and are none. */
const harmless: readonly string[] = [
  'tokenId',
  'idempotencyKey',
  'credentialNames',
  'hasClientSecret',
  'hasPassword',
  'mustChangePassword',
]
const secretLike = /password|secret|token|credential|private|(^|[a-z])Key$|^key$/i
/** A setting's name. */
const harmlessIn: readonly string[] = [
  ...['list', 'get', 'put'].map((verb) => `settings.${verb}.key`),
  // the name of a header or cookie
  ...['list', 'get', 'create', 'update', 'delete'].map((verb) => `l7Rules.${verb}.key`),
  ...['create', 'explain'].map((verb) => `loadBalancers.${verb}.key`),
]

describe('a secret', () => {
  let database: TestDatabase
  let directory: string
  let planting: Planting
  const secrets = new Map<string, string>()
  const heard = new Map<string, string>()
  const programs: TestProcess[] = []

  const run = (args: readonly string[], env: Readonly<Record<string, string>> = planting.env): TestProcess => {
    const program = keelson(args, { env: { KEELSON_LOG_LEVEL: 'trace', ...env } })
    programs.push(program)
    return program
  }
  const hear = (where: string, text: string): void => {
    heard.set(where, `${heard.get(where) ?? ''}\n${text}`)
  }

  beforeAll(async () => {
    database = await createTestDatabase()
    directory = mkdtempSync(join(tmpdir(), 'keelson-canary-'))
    const [http, tcp] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
    const tokenFile = join(directory, 'token')
    const env = {
      KEELSON_HTTP: http,
      KEELSON_TCP: tcp,
      KEELSON_BOOTSTRAP_TOKEN_FILE: tokenFile,
      KEELSON_ENGINES: tcp,
      KEELSON_AGENT_NAME: 'canary',
      KEELSON_STATE_DIR: join(directory, 'agent'),
    }
    planting = { databaseUrl: database.url, env, tokenFile, nextSealingKey: '' }
    for (const { name, before } of secretFields) if (before) secrets.set(name, await before(planting))
    const engine = run(['engine'])
    await engine.line(/the engine serves/)
    for (const { name, after } of secretFields) if (after) secrets.set(name, await after(planting))
    await live(`http://${http}`)
    await err()
    for (const program of programs) program.signal('SIGTERM')
    await Promise.all(programs.map(({ ended }) => ended))
    programs.forEach((program, index) => {
      hear(`output of program ${index}`, `${program.stdout}\n${program.stderr}`)
    })
    for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
      const path = join(directory, name)
      if (path !== tokenFile && statSync(path).isFile()) hear(`file ${name}`, readFileSync(path, 'latin1'))
    }
    await dump()
  }, 240_000)

  afterAll(async () => {
    for (const program of programs) program.signal('SIGKILL')
    const role = new URL(planting.env.DATABASE_URL ?? database.url).username
    await asOwner(database.url, `DROP ROLE IF EXISTS ${role}`).catch(() => undefined)
    await database?.drop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** All that the plane can be asked, well and badly, with an agent on it. */
  async function live(url: string): Promise<void> {
    const token = readFileSync(planting.tokenFile, 'utf8').trim()
    const ask = async (
      method: string,
      path: string,
      init: { body?: string; headers?: Record<string, string> } = {},
    ) => {
      const reply = await fetch(url + path, {
        method,
        ...(init.body === undefined ? {} : { body: init.body }),
        headers: {
          authorization: `Bearer ${token}`,
          ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...init.headers,
        },
      })
      const text = `${JSON.stringify([...reply.headers])}\n${await reply.text()}`
      // what is wrong with a path is told by that path, to who gave it
      if (!path.includes(secretOf(token))) hear(`reply to ${method} ${path.split('?')[0]}`, text)
      return text
    }
    const agent = run(['agent'])
    const stranger = run(['agent'], {
      ...planting.env,
      KEELSON_AGENT_NAME: 'stranger',
      KEELSON_STATE_DIR: join(directory, 'stranger'),
      KEELSON_JOIN_TOKEN: guessed(planting.env.KEELSON_JOIN_TOKEN),
    })
    const id = await eventually(
      async () => {
        const [, found] = /"id":"([0-9a-f-]{36})","name":"canary"/.exec(await ask('GET', '/api/v1/hosts')) ?? []
        if (!found) throw new Error('the agent has not come in')
        return found
      },
      { timeoutMs: 20_000 },
    )
    await stranger.line(/join token/)
    const connection = `/api/v1/hosts/${id}/storage-connections/a`
    await ask('PUT', connection, { body: JSON.stringify({ uri: `local://${directory}` }) })
    await eventually(async () => expect(await ask('GET', connection)).toContain('"ACTIVE"'), { timeoutMs: 20_000 })
    for (const secret of secrets.values()) {
      const headers = { cookie: `session=${secret}`, 'x-api-key': secret }
      await ask('POST', '/api/v1/hosts', {
        body: JSON.stringify({ name: 'a', password: secret, other: secret }),
        headers,
      })
      await ask('POST', '/api/v1/hosts', { body: `{"name": ${secret}}`, headers })
      await ask('POST', '/api/v1/hosts', { body: `"${secret}`, headers })
      await ask('GET', `/api/v1/hosts?password=${encodeURIComponent(secret)}`, { headers })
      await ask('GET', '/api/v1/hosts', { headers: { authorization: `Bearer ${secret}` } })
      await ask('POST', '/api/v1/hosts', { headers: { authorization: `Basic ${secret}` } })
      for (const [method, path, body] of misplaced(secret)) await ask(method, path, { body: JSON.stringify(body) })
      await ask('GET', `/api/v1/session/oidc/canary-code/callback?state=x&code=${encodeURIComponent(secret)}`)
    }
    await ask('POST', `/api/v1/hosts/${token}/activate`)
    await ask('POST', `/api/v1/${token}`)
    await ask('POST', '/api/v1/hosts', { body: '{"name":"made"}', headers: { 'idempotency-key': randomUUID() } })
    for (const path of pathsOf(/^[^{]+$/)) {
      const ids = [...(await ask('GET', path)).matchAll(/"id":"([^"]+)"/g)].map(([, found]) => found!)
      for (const below of pathsOf(/^[^{]+\{[^{]+$/).filter((other) => other.startsWith(`${path}/{`))) {
        for (const found of ids.slice(0, 30)) await ask('GET', below.replace(/\{\w+\}/, found))
      }
    }
    for (const path of ['/metrics', '/health/ready', '/openapi.json', '/docs']) await ask('GET', path)
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) hear('command lines', commandLine(pid))
    expect(heard.get('command lines')).toContain('dist/src/main.js')
    agent.signal('SIGTERM')
    await agent.ended
  }

  /** What programs say when something is wrong, and when they are asked what they were told. */
  async function err(): Promise<void> {
    const wrong = new URL(planting.env.DATABASE_URL!)
    wrong.port = String(await freePort())
    const denied = new URL(planting.env.DATABASE_URL!)
    denied.username = 'nobody'
    const ends = [
      run(['config']),
      run(['migrate', 'status'], { ...planting.env, DATABASE_URL: wrong.href }),
      run(['migrate', 'status'], { ...planting.env, DATABASE_URL: denied.href }),
      run(['keys', 'status']),
      run(['keys', 'rotate']),
      run(['engine'], { ...planting.env, KEELSON_SEALING_KEYS: `${planting.env.KEELSON_SEALING_KEYS},x` }),
      run(['engine', `--sealing-key-file=${directory}`], { ...planting.env, KEELSON_SEALING_KEYS: '' }),
    ]
    for (const program of ends) await program.ended
    const keys = `${planting.nextSealingKey},${planting.env.KEELSON_SEALING_KEYS}`
    const rotation = run(['keys', 'rotate'], { ...planting.env, KEELSON_SEALING_KEYS: keys })
    await rotation.ended
    expect(rotation.stdout).toMatch(/sealed anew with [0-9a-f]{16}: [1-9]/)
  }

  async function dump(): Promise<void> {
    const tables = await asOwner(
      database.url,
      `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
    )
    for (const { name } of tables) {
      const rows = await asOwner(database.url, `SELECT t::text AS text FROM ${name} t`)
      hear(`table ${name}`, rows.map(({ text }) => text).join('\n'))
    }
    expect(tables.length).toBeGreaterThan(15)
  }

  it('was planted in each field, and what is searched is not empty', () => {
    expect([...secrets.keys()].sort()).toEqual(secretFields.map(({ name }) => name).sort())
    expect([...secrets.values()].filter((secret) => secret.length < 16)).toEqual([])
    for (const where of [
      'table public.audit_entries',
      'table public.events',
      'table public.commands',
      'table public.identity_providers',
      'table public.idempotency_keys',
      'reply to GET /api/v1/users',
      'reply to GET /api/v1/identity-providers',
      'output of program 0',
    ]) {
      expect((heard.get(where) ?? '').length).toBeGreaterThan(200)
    }
    expect([...heard.keys()].filter((where) => where.startsWith('file agent/'))).not.toEqual([])
    expect(heard.get('output of program 0')).toContain('"level":"debug"')
  })

  it.each(secretFields.map(({ name }) => [name]))(
    '%s is in no reply, log, row, file, error and command line',
    (name) => {
      const spellings = spellingsOf(secrets.get(name) ?? '')
      const places = [...heard].filter(([, text]) => spellings.some((spelling) => text.includes(spelling)))
      expect(places.map(([where]) => where)).toEqual([])
    },
  )
})

describe('the table of secrets', () => {
  const names = new Set(secretFields.map(({ name }) => name))

  it('has each key of the configuration that is marked as one', () => {
    const keys = programNames.flatMap((program) => [...keysOf(program)].filter(([, key]) => key.secret))
    expect(keys.map(([name]) => name).filter((name) => !names.has(name))).toEqual([])
  })

  it('has each property of a body, asked or answered, that is named like one', () => {
    const found = bodyProperties().filter(([, property]) => secretLike.test(property) && !harmless.includes(property))
    const named = found.map((pair) => pair.join('.'))
    expect(named.filter((name) => !names.has(name) && !harmlessIn.includes(name))).toEqual([])
  })

  it('names only properties that there are', () => {
    const there = new Set(bodyProperties().map((pair) => pair.join('.')))
    expect([...names].filter((name) => /^\w+\.\w+\.\w+$/.test(name) && !there.has(name))).toEqual([])
  })
})

interface Documented {
  readonly operationId: string
  readonly requestBody?: object
  readonly responses: object
}

const { paths, components }: { paths: Record<string, Record<string, Documented>>; components: { schemas: never } } =
  JSON.parse(readFileSync('openapi.json', 'utf8'))

/** What can be asked for, and ends. */
const pathsOf = (form: RegExp): string[] =>
  Object.entries(paths)
    .filter(([path, { get }]) => get && form.test(path) && !JSON.stringify(get).includes('text/event-stream'))
    .map(([path]) => path)

/** Operation and property, of bodies that are asked for or answered with success. */
function bodyProperties(): [string, string][] {
  return Object.values(paths).flatMap((item) =>
    Object.values(item).flatMap(({ operationId, requestBody, responses }) => {
      const ok = Object.entries(responses).filter(([status]) => status.startsWith('2'))
      return propertiesOf([requestBody, ok], components.schemas).map((name): [string, string] => [operationId, name])
    }),
  )
}

/** Requests that hold a secret where it belongs and are refused, and where it does not. */
/** A join token with another secret. */
function guessed(text = ''): string {
  const token = readJoinToken(text)
  if (!token) throw new Error('there is no join token')
  return writeJoinToken({ ...token, secret: token.secret.split('').reverse().join('') })
}

const misplaced = (secret: string): [string, string, object][] => [
  ['POST', '/api/v1/session', { name: 'nobody', password: secret }],
  ['POST', '/api/v1/session', { name: 'nobody', password: [secret] }],
  ['PUT', '/api/v1/session/password', { current: secret, next: secret }],
  ['POST', '/api/v1/identity-providers', { name: 'Bad', issuer: 'none', clientId: 'a', clientSecret: secret }],
  ['POST', '/api/v1/identity-providers', { name: 'bad', issuer: 'none', clientId: 'a', clientSecret: { secret } }],
  ['POST', '/api/v1/users', { kind: 'person', name: 'canary-body', password: secret }],
  ['POST', '/api/v1/tokens', { name: 'canary-body', token: secret }],
]

function propertiesOf(node: unknown, schemas: Readonly<Record<string, object>>, seen = new Set<unknown>()): string[] {
  if (typeof node !== 'object' || node === null || seen.has(node)) return []
  seen.add(node)
  const { $ref, properties } = node as { $ref?: string; properties?: object }
  const referred = typeof $ref === 'string' ? schemas[$ref.split('/').at(-1) ?? ''] : undefined
  const own = properties ? Object.keys(properties) : []
  return [...own, ...[referred, ...Object.values(node)].flatMap((next) => propertiesOf(next, schemas, seen))]
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // it has ended meanwhile
    return ''
  }
}
