import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { lockDirectory, prepareDirectory } from './directory.mjs'
import { writeJoinToken } from './joining.mjs'
import { Libvirt, missingForGuests } from './libvirt.mjs'
import { releaseBelow } from './mounts.mjs'
import { exitCodes, Refusal } from './options.mjs'
import { dialled, isLoopback, requireFree } from './ports.mjs'
import { endProcess, isProcess, processesOf } from './processes.mjs'
import { endLeftover, Program } from './program.mjs'
import { expectStatus, Rest } from './rest.mjs'
import { waitFor } from './waiting.mjs'

const READY_MS = 90_000
const HOST_UP_MS = 30_000

/** An engine, an agent and perhaps simulated hosts on this machine, in one directory. */
export class Sandbox {
  #stopping = new AbortController()
  #lock = null
  #mayJoin = false

  /** @param onDeath called when one of its programs ends by itself: else that ends the sandbox */
  constructor(path, { http, tcp, simulatedHosts = 0, shown = false, onDeath }) {
    this.path = path
    this.http = http
    this.tcp = tcp
    this.simulatedHosts = simulatedHosts
    this.shown = shown
    this.onDeath = onDeath ?? ((refusal) => this.end(refusal))
    // as the engine decides it: plain HTTP is for loopback addresses alone
    this.scheme = isLoopback(http.host) ? 'http' : 'https'
    this.rest = new Rest(`${this.scheme}://${dialled(http)}`, () => this.token())
    this.hostName = hostname().replace(/[^a-zA-Z0-9.-]/g, '-') || 'localhost'
  }

  /** Aborted, with the reason, as soon as the sandbox is to end. */
  get signal() {
    return this.#stopping.signal
  }

  end(reason) {
    this.#stopping.abort(reason)
  }

  /** Takes the directory; ends what an earlier, killed quickstart left in it. @returns what was ended */
  async open() {
    this.places = prepareDirectory(this.path)
    this.#lock = await lockDirectory(this.places.root)
    const ended = await this.#endLeftovers()
    await requireFree(this.http)
    await requireFree(this.tcp)
    this.engine = this.#program('engine', ['engine'], {
      KEELSON_HTTP: this.http.text,
      KEELSON_TCP: this.tcp.text,
      // this machine joins first, and may not know its own name; others try the second
      ...(this.scheme === 'https'
        ? { KEELSON_PUBLIC_URLS: `${this.rest.baseUrl},https://${hostname()}:${this.http.port}` }
        : {}),
      KEELSON_DATA_DIR: this.places.engine,
      KEELSON_REPLICA_NAME: 'quickstart',
      KEELSON_SEALING_KEY_FILE: this.places.sealingKeys,
      KEELSON_BOOTSTRAP_TOKEN_FILE: this.places.token,
    })
    const dialling = {
      KEELSON_JOIN_TOKEN_FILE: this.places.joinToken,
      KEELSON_ENGINES: dialled(this.tcp),
      DATABASE_URL: undefined,
    }
    this.libvirt = missingForGuests().length === 0 ? new Libvirt(this.places.root) : null
    this.agent = this.#program('agent', ['agent'], {
      ...dialling,
      KEELSON_AGENT_NAME: this.hostName,
      KEELSON_STATE_DIR: this.places.agent,
      ...(this.libvirt ? { KEELSON_LIBVIRT_URI: this.libvirt.uri } : {}),
    })
    this.simulator = this.#program('simulate', ['simulate', '--hosts', String(this.simulatedHosts)], dialling)
    return ended
  }

  /** An administrator's, once the engine has written it. */
  token() {
    return this.places && existsSync(this.places.token) ? readFileSync(this.places.token, 'utf8').trim() : undefined
  }

  /** As the engine has logged it, if this is its first start. */
  firstPassword() {
    if (this.shown) return undefined
    return /with the one-time password ([a-z0-9-]+)/.exec(readFileSync(this.engine.logFile, 'utf8'))?.[1]
  }

  waitFor(what, look, timeoutMs) {
    return waitFor(what, look, { timeoutMs, signal: this.signal })
  }

  async startEngine() {
    this.engine.start()
    await this.waitFor(
      'the engine is ready',
      async () => {
        expectStatus(await this.rest.get('/health/ready'), 200, 'GET /health/ready')
        return true
      },
      READY_MS,
    )
  }

  /** @returns the host as the engine shows it, once it is Up */
  async startAgent() {
    if (!this.#mayJoin) await this.libvirt?.start((...what) => this.waitFor(...what))
    if (!this.#mayJoin) await writeJoinToken(this.rest, this.places)
    this.#mayJoin = true
    this.agent.start()
    return this.waitFor(
      `host ${this.hostName} is Up`,
      async () => {
        const host = await this.host()
        return host?.status === 'Up' && host.connected ? host : undefined
      },
      HOST_UP_MS,
    )
  }

  async host() {
    const path = `/api/v1/hosts?name=${encodeURIComponent(this.hostName)}`
    const { body } = expectStatus(await this.rest.get(path), 200, `GET ${path}`)
    return body.items[0]
  }

  /** In order: who uses the engine goes first. Data stays; mounts, loop devices and processes do not. */
  async stop() {
    for (const program of [this.simulator, this.agent, this.engine]) await program.stop()
    await this.#endBalancers()
    await this.libvirt?.stop()
    await this.#endPostgres()
    releaseBelow(this.places.root)
    this.#lock.close()
  }

  #program(name, args, env) {
    const onDeath = (how, code) => {
      const exitCode = code >= 64 ? code : exitCodes.failed
      this.onDeath(new Refusal(exitCode, `${name} ended by itself: ${how}`))
    }
    return new Program({ name, args, env, directory: this.places.run, onDeath, shown: this.shown })
  }

  async #endLeftovers() {
    const { run, agent, engine, joinToken } = this.places
    const ended = []
    if (await endLeftover('simulate', run, 'KEELSON_JOIN_TOKEN_FILE', joinToken)) ended.push('simulator')
    if (await endLeftover('agent', run, 'KEELSON_STATE_DIR', agent)) ended.push('agent')
    if (await endLeftover('engine', run, 'KEELSON_DATA_DIR', engine)) ended.push('engine')
    return ended
  }

  /** They outlive their agent, as they should; not the sandbox. The agent starts them again when it is back. */
  async #endBalancers() {
    const pids = ['haproxy', 'nginx'].flatMap((program) => processesOf(program, this.places.agent))
    for (const pid of pids)
      await endProcess(pid, [
        { signal: 'SIGTERM', timeoutMs: 2_000 },
        { signal: 'SIGKILL', timeoutMs: 2_000 },
      ])
  }

  /** An engine that was killed cannot end its Postgres. */
  async #endPostgres() {
    const data = join(this.places.engine, 'postgres', 'data')
    const pid = postmasterPid(data)
    if (pid === undefined || !isProcess(pid, data)) return
    await endProcess(pid, [
      { signal: 'SIGINT', timeoutMs: 15_000 },
      { signal: 'SIGQUIT', timeoutMs: 5_000 },
      { signal: 'SIGKILL', timeoutMs: 5_000 },
    ])
  }
}

function postmasterPid(data) {
  try {
    return Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
  } catch {
    return undefined
  }
}
