import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CertifiedKey } from '../src/engine/identity/certificates.js'
import { BenchProcess, cpuMicros, fromDist } from './bench-process.js'
import { freePort } from './free-port.js'
import type { ProbedMemory } from './probe.js'
import { until } from './until.js'

const SEALING_KEY = Buffer.alloc(32, 'sealed for benches').toString('base64')

const DAY_MS = 86_400_000

/** As its unit file in deploy/systemd starts it. */
const NODE_OPTIONS = ['--max-semi-space-size=32']

export interface EngineSettings {
  readonly databaseUrl: string
  readonly nodeOptions?: readonly string[]
  /** Of the hosts' certificates, in place of one that the engine makes. */
  readonly authority?: CertifiedKey
}

/** The real engine, `keelson engine`, in a process of its own, on ports that stay over a restart. */
export class BenchEngine {
  private process: BenchProcess
  private readonly directory = mkdtempSync(join(tmpdir(), 'keelson-bench-engine-'))

  private constructor(
    private readonly settings: EngineSettings,
    readonly httpPort: number,
    readonly tcpPort: number,
  ) {
    this.process = this.spawn()
  }

  static async start(settings: EngineSettings): Promise<BenchEngine> {
    const engine = new BenchEngine(settings, await freePort(), await freePort())
    await engine.ready()
    return engine
  }

  get tcpAddress(): string {
    return `127.0.0.1:${this.tcpPort}`
  }

  get url(): string {
    return `http://127.0.0.1:${this.httpPort}/api/v1`
  }

  /** Of an administrator, whom no limit slows down. */
  get token(): string {
    return readFileSync(this.tokenFile, 'utf8').trim()
  }

  private get tokenFile(): string {
    return join(this.directory, 'token')
  }

  private get authorization(): Record<string, string> {
    return { authorization: `Bearer ${this.token}` }
  }

  async cpuMicros(): Promise<number> {
    return cpuMicros(await this.process.ask<NodeJS.CpuUsage>('cpu'))
  }

  /** Bytes that agents have sent over the connections that are open. */
  agentBytes(): Promise<number> {
    return this.process.ask('bytesRead', this.tcpPort)
  }

  memory(): Promise<ProbedMemory> {
    return this.process.ask('memory')
  }

  /** For as many hosts as a bench plays, also those that have joined before. */
  async joinToken(): Promise<string> {
    const reply = await fetch(`${this.url}/hosts/join-tokens`, {
      method: 'POST',
      headers: { ...this.authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ uses: 10_000, replace: true, lifeMs: DAY_MS }),
    })
    if (!reply.ok) throw new Error(`a join token: ${reply.status} ${await reply.text()}`)
    return ((await reply.json()) as { token: string }).token
  }

  /** @param path below `/api/v1` */
  async get<T>(path: string): Promise<T> {
    const reply = await fetch(`${this.url}${path}`, { headers: this.authorization })
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`)
    return (await reply.json()) as T
  }

  async set(key: string, value: number): Promise<void> {
    const reply = await fetch(`${this.url}/settings/${key}`, {
      method: 'PUT',
      headers: { ...this.authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ value }),
    })
    if (!reply.ok) throw new Error(`setting ${key}: ${reply.status} ${await reply.text()}`)
  }

  /** Sessions open on this engine; null while it does not answer. */
  async sessions(): Promise<number | null> {
    const text = await this.metrics().catch(() => null)
    return text === null ? null : Number(/^keelson_sessions (\d+)/m.exec(text)?.[1] ?? 0)
  }

  /** Handshakes with hosts since this engine started. */
  async handshakes(): Promise<{ full: number; resumed: number }> {
    const text = await this.metrics()
    const count = (kind: string) =>
      Number(new RegExp(`^keelson_tls_handshakes_total\\{kind="${kind}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
    return { full: count('full'), resumed: count('resumed') }
  }

  async kill(): Promise<void> {
    await this.process.stop('SIGKILL')
  }

  restart(): void {
    this.process = this.spawn()
  }

  async stop(): Promise<void> {
    await this.process.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  async ready(): Promise<void> {
    await until('the engine is ready', async () => {
      if (!this.process.alive) throw new Error(`the engine has ended:\n${this.process.words}`)
      return fetch(`http://127.0.0.1:${this.httpPort}/health/ready`).then(
        (reply) => reply.ok,
        () => false,
      )
    })
  }

  private async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.httpPort}/metrics`, { headers: this.authorization })).text()
  }

  /** As an operator gives the engine an outside certificate authority. */
  private authorityFiles(): Record<string, string> {
    const { authority } = this.settings
    if (!authority) return {}
    const [certificate, key] = [join(this.directory, 'ca.pem'), join(this.directory, 'ca.key')]
    writeFileSync(certificate, authority.certificate)
    writeFileSync(key, authority.key, { mode: 0o600 })
    return { KEELSON_CA_CERT_FILE: certificate, KEELSON_CA_KEY_FILE: key }
  }

  private spawn(): BenchProcess {
    const { databaseUrl, nodeOptions = [] } = this.settings
    return new BenchProcess('src/main.js', {
      args: ['engine'],
      nodeOptions: [
        ...NODE_OPTIONS,
        '--expose-gc',
        '--import',
        pathToFileURL(fromDist('bench/probe.js')).href,
        ...nodeOptions,
      ],
      env: {
        DATABASE_URL: databaseUrl,
        ...this.authorityFiles(),
        KEELSON_HTTP: `127.0.0.1:${this.httpPort}`,
        KEELSON_TCP: this.tcpAddress,
        KEELSON_SEALING_KEYS: SEALING_KEY,
        KEELSON_BOOTSTRAP_TOKEN_FILE: this.tokenFile,
        KEELSON_LOG_LEVEL: 'error',
        KEELSON_LOG_FORMAT: 'json',
      },
    })
  }
}
