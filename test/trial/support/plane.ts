import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { freePort } from '../../support/address.js'
import { type AgentPort, enrolsOnce } from '../../support/enrolment.js'
import { eventually } from '../../support/eventually.js'
import type { Ground } from './ground.js'
import { type Body, Rest } from './rest.js'
import { Restartable } from './restartable.js'
import { trusting } from './trusting.js'

const SEALING_KEY = Buffer.alloc(32, 'sealed for trials').toString('base64')
const START_MS = 60_000
const WEEK_MS = 604_800_000

export interface PlaneSettings {
  /** Without one: the embedded Postgres. */
  readonly databaseUrl?: string
  readonly tcpPort?: number
  readonly env?: Readonly<Record<string, string>>
  /** For hosts that are elsewhere: under which name they reach it, and the certificate that REST then shows. */
  readonly elsewhere?: { readonly host: string; readonly cert: string; readonly key: string }
}

/** An engine at fixed addresses, in a process that is killed and started as often as the trial likes. */
export class Plane extends Restartable {
  readonly rest: Rest
  readonly tcp: AgentPort

  private constructor(
    private readonly ground: Ground,
    readonly http: string,
    address: { readonly host: string; readonly port: number },
    public databaseUrl: string | null,
    private readonly env: Readonly<Record<string, string>>,
    elsewhere: PlaneSettings['elsewhere'],
  ) {
    super('engine')
    this.rest = elsewhere
      ? new Rest(`https://${http}`, this.tokenFile, trusting(elsewhere.cert))
      : new Rest(`http://${http}`, this.tokenFile)
    this.tcp = { ...address, identityOf: enrolsOnce(async () => readFileSync(this.joinTokenFile, 'utf8')) }
  }

  static async start(ground: Ground, settings: PlaneSettings = {}): Promise<Plane> {
    const { databaseUrl = null, tcpPort, env = {}, elsewhere } = settings
    const tcp = { host: '127.0.0.1', port: tcpPort ?? (await freePort()) }
    const http = await freePort()
    const told = elsewhere ? { ...reachedElsewhere(ground, elsewhere, http, tcp.port), ...env } : env
    const plane = new Plane(ground, `127.0.0.1:${http}`, tcp, databaseUrl, told, elsewhere)
    await plane.start()
    return plane
  }

  private get tokenFile(): string {
    return this.ground.path('administrator-token')
  }

  /** Good for every host of a trial. */
  get joinTokenFile(): string {
    return this.ground.path('join-token')
  }

  get tcpAddress(): string {
    return `${this.tcp.host}:${this.tcp.port}`
  }

  /** Returns when it is ready. */
  async start(): Promise<void> {
    const program = this.ground.keelson(['engine'], { env: this.environment() })
    this.process = program
    let ended = false
    void program.ended.then(() => {
      ended = true
    })
    await eventually(
      async () => {
        if (ended) return
        const { status, body } = await this.rest.get('/health/ready')
        if (status !== 200) throw new Error(`the engine is not ready: ${status} ${JSON.stringify(body)}`)
      },
      { timeoutMs: START_MS },
    )
    if (ended) throw new Error(`the engine ended while it started:\n${program.stdout}\n${program.stderr}`)
    if (!existsSync(this.joinTokenFile)) writeFileSync(this.joinTokenFile, await this.joinToken())
  }

  async joinToken(options: object = { uses: 10_000, replace: true, lifeMs: WEEK_MS }): Promise<string> {
    const { status, body } = await this.rest.send('POST', '/api/v1/hosts/join-tokens', options)
    if (status !== 201) throw new Error(`no join token: ${status} ${JSON.stringify(body)}`)
    return body.token
  }

  /** Of the engine's process, without its Postgres. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
  }

  /** Pid and address of the embedded Postgres, from the files that it keeps. */
  embedded(): { readonly pid: number; readonly url: string } {
    const root = this.ground.path('engine', 'postgres')
    const [pid, , , port] = readFileSync(`${root}/data/postmaster.pid`, 'utf8').split('\n')
    const password = readFileSync(`${root}/password`, 'utf8').trim()
    return { pid: Number(pid), url: `postgres://keelson:${password}@127.0.0.1:${port}/keelson` }
  }

  /** The host of this name, once it has a session. */
  hostUp(name: string, timeoutMs = 60_000): Promise<Body> {
    return eventually(
      async () => {
        const { body } = await this.rest.get(`/api/v1/hosts?name=${name}`)
        const host = body?.items?.[0]
        if (!host?.connected || host.status !== 'Up') throw new Error(`host ${name} is not up: ${JSON.stringify(host)}`)
        return host
      },
      { timeoutMs, intervalMs: 50 },
    )
  }

  /** Once it is seen that the host of this name has no session. */
  hostAway(name: string, timeoutMs = 60_000): Promise<void> {
    return eventually(
      async () => {
        const { body } = await this.rest.get(`/api/v1/hosts?name=${name}`)
        if (body?.items?.[0]?.connected !== false) throw new Error(`host ${name} still has a session`)
      },
      { timeoutMs, intervalMs: 50 },
    )
  }

  /** The row of a connection, once it is as expected. */
  connection(hostId: string, connectionId: string, expected: object, timeoutMs = 30_000): Promise<Body> {
    return eventually(
      async () => {
        const reply = await this.rest.get(`/api/v1/hosts/${hostId}/storage-connections/${connectionId}`)
        expect(reply).toMatchObject({ status: 200, body: expected })
        return reply.body
      },
      { timeoutMs, intervalMs: 50 },
    )
  }

  put(hostId: string, connectionId: string, uri: string, headers: Record<string, string> = {}) {
    return this.rest.send('PUT', `/api/v1/hosts/${hostId}/storage-connections/${connectionId}`, { uri }, headers)
  }

  delete(hostId: string, connectionId: string) {
    return this.rest.send('DELETE', `/api/v1/hosts/${hostId}/storage-connections/${connectionId}`)
  }

  private environment(): Record<string, string> {
    return {
      KEELSON_HTTP: this.http,
      KEELSON_TCP: this.tcpAddress,
      KEELSON_DATA_DIR: this.ground.path('engine'),
      KEELSON_REPLICA_NAME: 'trial',
      KEELSON_LOG_FORMAT: 'json',
      KEELSON_SEALING_KEYS: SEALING_KEY,
      KEELSON_BOOTSTRAP_TOKEN_FILE: this.tokenFile,
      ...(this.databaseUrl ? { DATABASE_URL: this.databaseUrl } : {}),
      ...this.env,
    }
  }
}

function reachedElsewhere(
  ground: Ground,
  { host, cert, key }: NonNullable<PlaneSettings['elsewhere']>,
  http: number,
  tcp: number,
): Record<string, string> {
  const [certFile, keyFile] = [ground.path('rest.crt'), ground.path('rest.key')]
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key, { mode: 0o600 })
  return {
    KEELSON_TLS_CERT_FILE: certFile,
    KEELSON_TLS_KEY_FILE: keyFile,
    KEELSON_PUBLIC_URLS: `https://${host}:${http}`,
    KEELSON_ADVERTISE: `${host}:${tcp}`,
  }
}
