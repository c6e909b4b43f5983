import 'reflect-metadata'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:tls'
import { startAgent } from '../../src/agent/agent.js'
import { newKeyAndRequest } from '../../src/agent/certificate-request.js'
import type { AgentConfig } from '../../src/agent/config.js'
import { identityPath, readIdentity } from '../../src/agent/identity.js'
import { joinPlane } from '../../src/agent/join.js'
import { silentLogger } from '../../src/agent/logger.js'
import { readAgentStatus } from '../../src/agent/status.js'
import { type JoinToken, readJoinToken, writeJoinToken } from '../../src/wire/join-token.js'
import { freePort } from '../support/address.js'
import { TestAuthority } from '../support/authority.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { keelson } from '../support/process.js'

let engine: TestEngine
/** The same plane where REST is not on the loopback: with TLS, by the plane's own authority. */
let secure: Awaited<ReturnType<TestEngine['replica']>>
let directory: string
const servers: Server[] = []

beforeAll(async () => {
  engine = await startTestEngine()
  secure = await engine.replica({ http: { host: '0.0.0.0', port: 0 } })
})
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'keelson-join-'))
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  rmSync(directory, { recursive: true, force: true })
})
afterAll(async () => {
  await secure?.stop()
  await engine?.stop()
})

const stateDir = () => join(directory, 'state')
const configOf = (overrides: Partial<AgentConfig> = {}): AgentConfig => ({
  name: 'joiner',
  engines: [],
  joinToken: null,
  joinTokenFile: null,
  stateDir: stateDir(),
  libvirtUri: 'qemu+unix:///system?socket=/none',
  logLevel: 'silent',
  logFormat: 'json',
  ...overrides,
})
const joins = (token: string, { name = 'joiner', force = false } = {}) =>
  joinPlane(configOf({ name }), token, { force })
const secureUrl = () => `https://127.0.0.1:${new URL(secure.url).port}`

/** A token with something else in it than the engine has written. */
async function changed(change: Partial<JoinToken>, options: object = {}): Promise<string> {
  return writeJoinToken({ ...readJoinToken(await engine.joinToken(options))!, ...change })
}

/** Somebody in the engine's place, who counts what he is told. */
async function impostor(tls: { key: string; cert: string }): Promise<{ url: string; heard: () => number }> {
  let heard = 0
  const server = createServer(tls, (socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (bytes) => {
        heard += bytes.length
      })
  })
  server.on('tlsClientError', () => undefined)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return { url: `https://127.0.0.1:${port}`, heard: () => heard }
}

describe('a machine that joins', () => {
  it('has its certificate and its key in one file that nobody else reads, and the key was told nobody', async () => {
    const identity = await joins(await engine.joinToken({}), { name: 'over-loopback' })
    expect(identity).toMatchObject({
      name: 'over-loopback',
      engines: expect.arrayContaining([`127.0.0.1:${engine.tcp.port}`]),
    })
    expect(statSync(identityPath(stateDir())).mode & 0o777).toBe(0o600)
    expect(await readIdentity(stateDir())).toEqual(identity)
    const [row] = await engine.query(`SELECT string_agg(c::text, ',') AS text FROM host_certificates c`)
    expect(row?.text).not.toContain('PRIVATE KEY')
  })

  it('asks over TLS where REST is not on the loopback, and knows it by the authority of its token', async () => {
    const identity = await joins(await changed({ rest: [secureUrl()] }), { name: 'over-tls' })
    expect(identity.name).toBe('over-tls')
  })

  it('tries each address of its token', async () => {
    const rest = [`http://127.0.0.1:${await freePort()}`, engine.url]
    expect(await joins(await changed({ rest }), { name: 'second-address' })).toMatchObject({ name: 'second-address' })
  })

  it('tells nothing to whom the token does not name', async () => {
    const [real, foreign] = [await engine.tcp.identityOf('any'), await TestAuthority.make()]
    const strangers = [
      { key: foreign.engine.key, cert: foreign.engine.certificate },
      // the authority stands in his chain, and has signed nothing of it
      { key: foreign.engine.key, cert: `${foreign.engine.certificate}\n${real.authorities[0]}` },
      // signed by the plane, for a host
      { key: real.key, cert: `${real.certificate}\n${real.authorities[0]}` },
    ]
    for (const stranger of strangers) {
      const { url, heard } = await impostor(stranger)
      await expect(joins(await changed({ rest: [url] }))).rejects.toMatchObject({
        exitCode: 78,
        message: expect.stringMatching(/not the plane of the join token/),
      })
      expect(heard()).toBe(0)
    }
    expect(await readIdentity(stateDir())).toBeNull()
  })

  it('refuses the plane itself where the token names another authority', async () => {
    const authorities = ['ab'.repeat(32)]
    for (const rest of [engine.url, secureUrl()])
      await expect(joins(await changed({ authorities, rest: [rest] }))).rejects.toMatchObject({ exitCode: 78 })
  })

  it('asks nobody without TLS beyond the loopback', async () => {
    const token = await changed({ rest: ['http://192.0.2.1:8080'] })
    await expect(joins(token)).rejects.toMatchObject({ exitCode: 78, message: expect.stringMatching(/without TLS/) })
  })

  it('says what is wrong with its token, and what may pass', async () => {
    const used = await engine.joinToken({})
    await joins(used, { name: 'user' })
    rmSync(stateDir(), { recursive: true })
    await expect(joins(used, { name: 'late' })).rejects.toMatchObject({ exitCode: 78, message: /was used already/ })
    await expect(joins('kjt_x')).rejects.toMatchObject({ exitCode: 78, message: /no join token/ })
    const nowhere = await changed({ rest: [`http://127.0.0.1:${await freePort()}`] })
    await expect(joins(nowhere)).rejects.toMatchObject({ exitCode: 69, message: /no engine can be reached/ })
  })

  it('stays who it is, unless it is forced', async () => {
    const first = await joins(await engine.joinToken({}), { name: 'settled' })
    await expect(joins(await engine.joinToken({}), { name: 'other' })).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringMatching(/is host settled already.*--force/),
    })
    expect(await readIdentity(stateDir())).toEqual(first)
    const second = await joins(await engine.joinToken({}), { name: 'other', force: true })
    expect(second.hostId).not.toBe(first.hostId)
  })
})

describe('an agent', () => {
  it('without an identity and a token ends with 78, and says what to do', async () => {
    await expect(startAgent(configOf(), silentLogger)).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringMatching(/keelson agent join.*KEELSON_JOIN_TOKEN_FILE/s),
    })
  })

  it('joins by itself with the token in its configuration, once, and has a session then', async () => {
    const joinTokenFile = join(directory, 'token')
    writeFileSync(joinTokenFile, `${await engine.joinToken({})}\n`)
    const config = configOf({ name: 'unattended', joinTokenFile })
    const up = () =>
      eventually(async () => expect((await readAgentStatus(stateDir())).session?.state).toBe('connected'), {
        timeoutMs: 15_000,
      })
    const agent = await startAgent(config, silentLogger)
    await up()
    const status = await readAgentStatus(stateDir())
    expect(status).toMatchObject({
      name: 'unattended',
      hostId: expect.any(String),
      certificate: { serial: expect.any(String) },
    })
    await agent.stop('stopping')
    // the token is used, and its file gone: neither is looked at any more
    rmSync(joinTokenFile)
    const again = await startAgent(config, silentLogger)
    await up()
    await again.stop('stopping')
    expect(await readAgentStatus(stateDir())).toMatchObject({ agent: 'not-running', hostId: status.hostId })
  })

  it('renews its certificate while its session stays, and comes back with the new one', async () => {
    await engine.http.put('/api/v1/settings/hosts.certificateLifeMs', { value: 10_000 })
    await eventually(async () =>
      expect((await engine.http.get('/api/v1/settings/hosts.certificateLifeMs')).body.value).toBe(10_000),
    )
    const joinToken = await engine.joinToken({})
    const agent = await startAgent(configOf({ name: 'renewing', joinToken }), silentLogger)
    await eventually(async () => expect((await readAgentStatus(stateDir())).session?.state).toBe('connected'), {
      timeoutMs: 15_000,
    })
    const before = await readAgentStatus(stateDir())
    await engine.http.put('/api/v1/settings/hosts.certificateLifeMs', { value: 86_400_000 })
    await eventually(
      async () => {
        const now = await readAgentStatus(stateDir())
        expect(now.certificate?.serial).not.toBe(before.certificate?.serial)
        expect(now.epoch).toBe(before.epoch)
      },
      { timeoutMs: 15_000, intervalMs: 100 },
    )
    const renewed = await readAgentStatus(stateDir())
    expect(JSON.parse(await readFile(identityPath(stateDir()), 'utf8')).hostId).toBe(before.hostId)
    // the session goes with the certificate that it was opened with; the agent is back with the next one
    await eventually(
      async () => {
        const now = await readAgentStatus(stateDir())
        expect(now.epoch).toBeGreaterThan(before.epoch)
        expect(now.session?.state).toBe('connected')
      },
      { timeoutMs: 30_000, intervalMs: 200 },
    )
    expect((await readAgentStatus(stateDir())).certificate).toEqual(renewed.certificate)
    await agent.stop('stopping')
    await engine.http.put('/api/v1/settings/hosts.certificateLifeMs', { value: 30 * 86_400_000 })
  })
})

describe('keelson agent join', () => {
  it('takes its token from a file or the environment, prints what it did, and ends with the code of what went wrong', async () => {
    const run = async (args: string[], env: Record<string, string> = {}) => {
      const program = keelson(['agent', 'join', '--state-dir', stateDir(), '--name', 'by-command', ...args], { env })
      const { code } = await program.ended
      return { code, stdout: program.stdout, stderr: program.stderr }
    }
    const token = await engine.joinToken({ uses: 2, replace: true })
    const file = join(directory, 'token')
    writeFileSync(file, token)
    expect((await run([])).code).toBe(64)
    expect(await run(['--token-file', join(directory, 'none')])).toMatchObject({ code: 78 })
    const joined = await run(['--token-file', file])
    expect(joined).toMatchObject({ code: 0, stdout: expect.stringMatching(/host by-command \([0-9a-f-]{36}\)/) })
    expect(await run([], { KEELSON_JOIN_TOKEN: token })).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/--force/),
    })
    expect(await run(['--force'], { KEELSON_JOIN_TOKEN: token })).toMatchObject({ code: 0 })
    for (const said of [joined.stdout, joined.stderr]) expect(said).not.toContain(token.slice(10, 60))
    const { key } = await newKeyAndRequest()
    expect(joined.stdout).not.toContain(key.split('\n')[0])
  })
})
