import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from '../support/address.js'
import { createEmptyDatabase, type TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { keelson, type SpawnSettings } from '../support/process.js'

const SEALING_KEY = randomBytes(32).toString('base64')

async function audited(url: string, operation: string): Promise<object[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const sql = 'SELECT user_name, address, path FROM audit_entries WHERE operation = $1'
    return (await client.query(sql, [operation])).rows
  } finally {
    await client.end()
  }
}

describe('the command line', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-cli-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const run = async (args: readonly string[], settings?: SpawnSettings) => {
    const program = keelson(args, settings)
    const { code } = await program.ended
    return { code, stdout: program.stdout, stderr: program.stderr }
  }

  it('prints its version, without loading what it does not need for that', async () => {
    const startedMs = performance.now()
    expect(await run(['version'])).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' })
    expect(performance.now() - startedMs).toBeLessThan(10_000)
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('names every command in its help, and every key in theirs', async () => {
    const { code, stdout } = await run(['--help'])
    expect(code).toBe(0)
    for (const command of ['engine', 'agent', 'simulate', 'migrate', 'keys', 'admin', 'openapi', 'config', 'version']) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    }
    expect((await run(['engine', '--help'])).stdout).toMatch(
      /drainTimeoutMs {2}KEELSON_DRAIN_TIMEOUT_MS {2}--drain-timeout-ms/,
    )
    expect((await run(['agent', '--help'])).stdout).toMatch(/stateDir {2}KEELSON_STATE_DIR {2}--state-dir/)
  })

  it.each([
    [['bogus']],
    [[]],
    [['engine', '--bogus']],
    [['agent', 'bogus']],
    [['migrate', 'sideways']],
    [['admin', 'bogus']],
    [['admin']],
    [['config', 'bogus']],
    [['keys']],
    [['keys', 'bogus']],
    [['simulate', '--hosts']],
  ])('ends with 64 for a usage that it does not know: %j', async (args) => {
    const { code, stderr } = await run(args)
    expect(code).toBe(64)
    expect(stderr).not.toMatch(/ {4}at /)
  })

  it('ends with 78 and a suggestion for a key that it does not know', async () => {
    const file = join(directory, 'engine.json')
    writeFileSync(file, '{"httpp":":1"}')
    const { code, stderr } = await run(['engine', '--config', file])
    expect({ code, stderr }).toEqual({
      code: 78,
      stderr: `keelson: keelson engine cannot start with this configuration:\n  ${file}: unknown key httpp: did you mean http?\n`,
    })
  })

  it('takes secrets from nowhere that others can read', async () => {
    expect((await run(['agent', '--join-token', 'x'])).code).toBe(64)
    expect((await run(['engine', '--database-url', 'x'])).code).toBe(64)
  })

  it('shows the configuration in force, and fails on a wrong one where it is asked to check', async () => {
    const env = { KEELSON_POOL_SIZE: '7' }
    const { code, stdout } = await run(['config', 'engine'], { env })
    expect(code).toBe(0)
    expect(stdout).toContain('poolSize = 7  [KEELSON_POOL_SIZE]')
    expect((await run(['config', 'engine', '--check'], { env: { KEELSON_POOL_SIZE: '1' } })).code).toBe(78)
    expect((await run(['config', 'engine', '--check'], { env })).code).toBe(0)
  })

  it('does not mind that nobody reads on', async () => {
    const program = keelson(['config'])
    program.closeStdout()
    expect(await program.ended).toMatchObject({ code: 0 })
    expect(program.stderr).toBe('')
  })

  it('ends with 73 for a directory that it cannot use', async () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    const { code, stderr } = await run(['migrate', 'status', '--data-dir', file])
    expect({ code, stderr }).toEqual({
      code: 73,
      stderr: expect.stringMatching(/^keelson: data directory .* cannot be used/),
    })
    expect((await run(['agent', 'status', '--state-dir', join(directory, 'none')])).code).toBe(73)
  })

  describe('with a database', () => {
    let database: TestDatabase
    beforeAll(async () => {
      database = await createEmptyDatabase()
    })
    afterAll(() => database?.drop())

    it('migrates up and down and tells where it is', async () => {
      const settings = { env: { DATABASE_URL: database.url } }
      expect((await run(['migrate', 'status'], settings)).stdout).toMatch(/^applied: none\npending: Foundation0+1\b/)
      expect(await run(['migrate'], settings)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^applied: Found/m),
      })
      expect((await run(['migrate', 'up'], settings)).stdout).toMatch(/^applied: none$/m)
      expect((await run(['migrate', 'status'], settings)).stdout).toMatch(/^pending: none$/m)
      expect((await run(['migrate', 'down'], settings)).stdout).toMatch(/^taken back: \w+\d{13}$/m)
    })

    it('makes keys, tells which are in use, and forgets those that are not needed', async () => {
      const [older, newer] = [
        (await run(['keys', 'generate'])).stdout.trim(),
        (await run(['keys', 'generate'])).stdout.trim(),
      ]
      expect([older, newer].map((key) => Buffer.from(key, 'base64').length)).toEqual([32, 32])
      const file = join(directory, 'keys')
      const settings = { env: { DATABASE_URL: database.url, KEELSON_SEALING_KEY_FILE: file } }
      writeFileSync(file, older)
      expect(await run(['keys', 'status'], settings)).toMatchObject({
        code: 78,
        stderr: expect.stringMatching(/migrate/),
      })
      await run(['migrate'], settings)
      expect(await run(['keys', 'rotate'], settings)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^sealed anew with [0-9a-f]{16}: 0\nno other key is in use\n$/m),
      })
      const [oldId = ''] = /^[0-9a-f]{16}/.exec((await run(['keys', 'status'], settings)).stdout) ?? []
      writeFileSync(file, `${newer}\n${older}\n`)
      const rotated = await run(['keys', 'rotate'], settings)
      expect(rotated.stdout).toContain(`no longer needed, once no engine seals with it: ${oldId}`)
      writeFileSync(file, newer)
      const { code, stdout } = await run(['keys', 'status'], settings)
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringMatching(/^[0-9a-f]{16} {2}current: nothing\n$/),
      })
      writeFileSync(file, older)
      expect((await run(['keys', 'rotate'], settings)).code).toBe(78)
      for (const text of [rotated.stdout, rotated.stderr, stdout]) {
        expect(text).not.toContain(older)
        expect(text).not.toContain(newer)
      }
    })

    it('ends with 69 where no database answers', async () => {
      const url = `postgres://kim:hunter22@127.0.0.1:${await freePort()}/k`
      const { code, stderr } = await run(['migrate'], { env: { DATABASE_URL: url } })
      expect(code).toBe(69)
      expect(stderr).not.toMatch(/hunter22| {4}at /)
    })

    it('ends with 78 where the database refuses its password', async () => {
      const wrong = new URL(database.url)
      wrong.password = 'hunter22'
      expect((await run(['migrate'], { env: { DATABASE_URL: wrong.href } })).code).toBe(78)
    })
  })

  describe('running', () => {
    let database: TestDatabase
    let http: number
    let settings: SpawnSettings
    beforeEach(async () => {
      database = await createEmptyDatabase()
      http = await freePort()
      settings = {
        env: {
          KEELSON_SEALING_KEYS: SEALING_KEY,
          DATABASE_URL: database.url,
          KEELSON_HTTP: `127.0.0.1:${http}`,
          KEELSON_TCP: '127.0.0.1:0',
        },
      }
    })
    afterEach(() => database?.drop())

    const alive = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${http}/health/live`)).ok

    it.each(['SIGTERM', 'SIGINT'] as const)('stops in order on %s and ends with 0', async (signal) => {
      const engine = keelson(['engine'], settings)
      await engine.line(new RegExp(`127.0.0.1:${http}`))
      expect(await alive()).toBe(true)
      engine.signal(signal)
      expect(await engine.ended).toEqual({ code: 0, signal: null })
      expect(engine.stdout).toMatch(/"msg":"stopped"/)
      expect(engine.stdout).not.toContain(SEALING_KEY)
    })

    it('stops when the signal comes while it starts', async () => {
      const engine = keelson(['engine'], settings)
      await engine.line(/./)
      engine.signal('SIGTERM')
      expect(await engine.ended).toEqual({ code: 0, signal: null })
    })

    it('ends with 78 before it touches a database whose secrets it could not open', async () => {
      const { KEELSON_SEALING_KEYS: _, ...env } = settings.env ?? {}
      const keyless = await run(['engine'], { env })
      expect({ code: keyless.code, stderr: keyless.stderr }).toEqual({
        code: 78,
        stderr: expect.stringContaining('KEELSON_SEALING_KEY_FILE'),
      })
      const engine = keelson(['engine'], settings)
      await engine.line(new RegExp(`127.0.0.1:${http}`))
      engine.signal('SIGTERM')
      await engine.ended
      const other = randomBytes(32).toString('base64')
      const { code, stderr } = await run(['engine'], { env: { ...settings.env, KEELSON_SEALING_KEYS: other } })
      expect({ code, stderr }).toEqual({ code: 78, stderr: expect.stringMatching(/sealed with key [0-9a-f]{16}/) })
      expect(stderr).not.toContain(other)
      const both = keelson(['engine'], { env: { ...settings.env, KEELSON_SEALING_KEYS: `${other},${SEALING_KEY}` } })
      await both.line(new RegExp(`127.0.0.1:${http}`))
      both.signal('SIGTERM')
      expect(await both.ended).toEqual({ code: 0, signal: null })
    })

    it('gives a lost password anew, to who is on the machine, while the engine runs', async () => {
      const engine = keelson(['engine'], settings)
      await engine.line(new RegExp(`127.0.0.1:${http}`))
      const printed = await engine.line(/one-time password/)
      expect(JSON.parse(printed)).toMatchObject({ level: 'warn', user: 'admin' })
      const first = ONE_TIME.exec(printed)![0]
      expect(await signIn(http, 'admin', first)).toBe(200)
      const { code, stdout, stderr } = await run(['admin', 'reset-password'], settings)
      expect({ code, stdout, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/^admin signs in/) })
      expect(stdout.trim()).toMatch(ONE_TIME)
      expect(await signIn(http, 'admin', first)).toBe(401)
      expect(await signIn(http, 'admin', stdout.trim())).toBe(200)
      await eventually(async () =>
        expect(await audited(database.url, 'admin.resetPassword')).toEqual([
          {
            user_name: `${userInfo().username} on ${hostname()}`,
            address: 'local',
            path: 'keelson admin reset-password',
          },
        ]),
      )
      const nobody = await run(['admin', 'reset-password', '--user', 'nobody'], settings)
      expect(nobody).toMatchObject({ code: 1, stderr: 'keelson: there is no user nobody\n' })
      expect(engine.stdout.match(new RegExp(ONE_TIME, 'g'))).toEqual([first])
      engine.signal('SIGTERM')
      await engine.ended
    })

    it('gives it anew in the embedded database too, whether its engine runs or not, and makes none where there is none', async () => {
      const data = join(directory, 'data')
      expect(await run(['admin', 'reset-password', '--data-dir', data])).toMatchObject({ code: 73 })
      expect(existsSync(data)).toBe(false)
      const env = { ...settings.env, DATABASE_URL: undefined, KEELSON_DATA_DIR: data }
      const start = async () => {
        const engine = keelson(['engine'], { env })
        await engine.line(new RegExp(`127.0.0.1:${http}`))
        return engine
      }
      const first = await start()
      const running = await run(['admin', 'reset-password'], { env })
      expect(running).toMatchObject({ code: 0 })
      expect(await signIn(http, 'admin', running.stdout.trim())).toBe(200)
      first.signal('SIGTERM')
      await first.ended
      const stopped = await run(['admin', 'reset-password'], { env })
      expect(stopped).toMatchObject({ code: 0 })
      const second = await start()
      expect(await signIn(http, 'admin', stopped.stdout.trim())).toBe(200)
      expect(second.stdout).not.toContain('one-time password')
      second.signal('SIGTERM')
      await second.ended
    })

    it('ends with 75 where its address is taken', async () => {
      const other = await listen(http)
      const { code, stderr } = await run(['engine'], settings)
      other.close()
      expect({ code, stderr }).toEqual({ code: 75, stderr: expect.stringContaining(`127.0.0.1:${http}`) })
    })
  })
})

/** As `newOneTimePassword` writes them. */
const ONE_TIME = /\b[a-z2-9]{5}(-[a-z2-9]{5}){4}\b/

async function signIn(port: number, name: string, password: string): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${port}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, password }),
  })
  return reply.status
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server))
  })
}
