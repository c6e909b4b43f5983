import 'reflect-metadata'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hostName } from '../../src/config/agent-keys.js'
import { describeKeys, describeSettings } from '../../src/config/describe.js'
import { ExitError } from '../../src/config/exit.js'
import { loadConfig, loadKeys } from '../../src/config/load.js'
import { keysOf, programNames } from '../../src/config/programs.js'
import { HOST_NAME } from '../../src/wire/session.js'

const SECRET = 'kjt_correct-horse-battery'

describe('the configuration', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-config-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const file = (name: string, content: unknown): string => {
    const path = join(directory, name)
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  const machine = (env: Record<string, string> = {}, uid = 1000) => ({
    surroundings: { env: { HOME: '/home/kim', ...env }, uid, hostname: 'node7' },
  })
  const faultsOf = (load: () => unknown): string[] => {
    try {
      load()
    } catch (error) {
      expect(error).toBeInstanceOf(ExitError)
      expect((error as ExitError).exitCode).toBe(78)
      return (error as ExitError).message
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
    }
    throw new Error('it was accepted')
  }

  it('needs nothing', () => {
    expect(loadConfig('engine', machine())).toEqual({
      http: { host: '127.0.0.1', port: 8080 },
      tcp: { host: '127.0.0.1', port: 8081 },
      advertise: [{ host: '127.0.0.1', port: 8081 }],
      publicUrls: [],
      trustedProxies: [],
      databaseUrl: null,
      dataDir: '/home/kim/.local/state/keelson',
      tls: 'auto',
      tlsCertFile: null,
      tlsKeyFile: null,
      caCertFile: null,
      caKeyFile: null,
      sealingKeys: null,
      sealingKeyFile: null,
      bootstrapTokenFile: null,
      replicaName: 'node7',
      poolSize: 20,
      httpBodyLimitBytes: 1_048_576,
      requestTimeoutMs: 30_000,
      drainTimeoutMs: 15_000,
      logLevel: 'info',
      logFormat: 'auto',
    })
    expect(loadConfig('agent', machine())).toEqual({
      name: 'node7',
      engines: [],
      joinToken: null,
      joinTokenFile: null,
      stateDir: '/home/kim/.local/state/keelson-agent',
      libvirtUri: 'qemu:///system',
      logLevel: 'info',
      logFormat: 'auto',
    })
  })

  it('keeps state in the place of the system for root, and of XDG where that is set', () => {
    expect(loadConfig('engine', machine({}, 0)).dataDir).toBe('/var/lib/keelson')
    expect(loadConfig('engine', machine({ XDG_STATE_HOME: '/x' })).dataDir).toBe('/x/keelson')
  })

  it('takes the environment over the file, and the command line over both', () => {
    const path = file('c.json', { tcp: '127.0.0.1:1', poolSize: 30, logLevel: 'warn' })
    const env = { KEELSON_CONFIG: path, KEELSON_POOL_SIZE: '40', KEELSON_LOG_LEVEL: 'error' }
    const config = loadConfig('engine', { ...machine(env), flags: { logLevel: 'debug' } })
    expect(config).toMatchObject({ tcp: { port: 1 }, poolSize: 40, logLevel: 'debug' })
  })

  it('takes the file of the command line over the one of the environment', () => {
    const request = machine({ KEELSON_CONFIG: file('a.json', { poolSize: 30 }) })
    expect(loadConfig('engine', { ...request, file: file('b.json', { poolSize: 31 }) }).poolSize).toBe(31)
  })

  it('takes an empty variable for one that is not set', () => {
    expect(loadConfig('engine', machine({ KEELSON_HTTP: '', DATABASE_URL: '' })).databaseUrl).toBeNull()
  })

  it('lets lists and numbers be written as such in a file', () => {
    const path = file('c.json', { engines: ['a:1', '[::1]:2'] })
    expect(loadConfig('agent', { ...machine(), file: path }).engines).toEqual([
      { host: 'a', port: 1 },
      { host: '::1', port: 2 },
    ])
  })

  it('tells agents a name that they can dial when it listens on every address', () => {
    expect(loadConfig('engine', machine({ KEELSON_TCP: ':9' })).advertise).toEqual([{ host: 'node7', port: 9 }])
  })

  it('takes addresses of REST without the slash at their end', () => {
    const env = { KEELSON_PUBLIC_URLS: 'https://a.example/, http://127.0.0.1:1' }
    expect(loadConfig('engine', machine(env)).publicUrls).toEqual(['https://a.example', 'http://127.0.0.1:1'])
    expect(faultsOf(() => loadConfig('engine', machine({ KEELSON_PUBLIC_URLS: 'a.example' })))).toEqual([
      'publicUrls (KEELSON_PUBLIC_URLS) is "a.example", expected http:// or https:// addresses without a path, several separated by commas',
    ])
  })

  it.each([
    ['httpp', 'httpp', ': did you mean http?'],
    ['another case', 'HTTP', ': did you mean http?'],
    ['of another program', 'stateDir', ': it belongs to keelson agent'],
    ['like nothing known', 'colour', ''],
    ['of every object', 'constructor', ''],
  ])('refuses an unknown key in the file: %s', (_, key, hint) => {
    const path = file('c.json', { [key]: 'x' })
    expect(faultsOf(() => loadConfig('engine', { ...machine(), file: path }))).toEqual([
      `${path}: unknown key ${key}${hint}`,
    ])
  })

  it('refuses an unknown variable of ours, with a suggestion, but none that another program knows', () => {
    expect(faultsOf(() => loadConfig('agent', machine({ KEELSON_STATEDIR: '/x', KEELSON_HTTP: ':1' })))).toEqual([
      'unknown variable KEELSON_STATEDIR: did you mean KEELSON_STATE_DIR?',
    ])
  })

  it('names every fault at once, each with its key, its source and what is expected', () => {
    const path = file('c.json', { poolSize: 1, advertise: [{ host: 'x' }], httpBodyLimit: 7 })
    const env = { KEELSON_HTTP: 'localhost', DATABASE_URL: 'mysql://kim:hunter22@x/y', KEELSON_DRAIN_TIMEOUT_MS: '1e3' }
    expect(faultsOf(() => loadConfig('engine', { ...machine(env), file: path, flags: { tcp: 'x:65536' } }))).toEqual([
      `${path}: advertise is [{"host":"x"}], expected host:port, several separated by commas`,
      `${path}: unknown key httpBodyLimit`,
      'http (KEELSON_HTTP) is "localhost", expected host:port',
      'tcp (--tcp) is "x:65536", expected host:port',
      'databaseUrl (DATABASE_URL) is not a postgres:// address',
      `poolSize (${path}) is "1", expected a whole number from 2 to 500`,
      'drainTimeoutMs (KEELSON_DRAIN_TIMEOUT_MS) is "1e3", expected a whole number from 0 to 600000',
    ])
  })

  it.each([
    ['is not there', () => '/no/such/file.json', /ENOENT/],
    ['is no JSON', (path: string) => path, /JSON/],
  ])('refuses a file that %s', (_, choose, message) => {
    const path = choose(file('c.json', '{"http": '))
    expect(faultsOf(() => loadConfig('engine', { ...machine(), file: path }))[0]).toMatch(message)
  })

  it('gives a command that needs one key that key, whatever else is missing', () => {
    expect(loadKeys('agent', ['stateDir'], machine({ KEELSON_STATE_DIR: '/s' }))).toEqual({ stateDir: '/s' })
  })

  it('prints every key of each program with variable, meaning and default', () => {
    for (const program of programNames) {
      const text = describeKeys(program)
      for (const [name, { env, meaning }] of keysOf(program)) {
        expect(text).toContain(`  ${name}  ${env}  `)
        expect(text).toContain(meaning)
      }
    }
  })

  it('prints what is in force and where it comes from, and no secret', () => {
    const text = describeSettings('engine', machine({ DATABASE_URL: 'postgres://kim:hunter22@db/k?password=hunter22' }))
    const agent = describeSettings('agent', machine({ KEELSON_JOIN_TOKEN: SECRET }))
    expect(agent).toContain('joinToken = (set)  [KEELSON_JOIN_TOKEN]')
    expect(agent).not.toContain(SECRET)
    expect(text).toContain('databaseUrl = postgres://kim:***@db/k?password=***  [DATABASE_URL]')
    expect(text).toContain('advertise = (the address of tcp)  [default]')
    expect(text).not.toMatch(/hunter22/)
  })

  it('takes the same names for hosts as the wire does', () => {
    expect(hostName.source).toBe(HOST_NAME.source)
  })
})
