import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BalancerDriver, Sighting } from '../../../src/agent/balancing/driver.js'
import { findMaster } from '../../../src/agent/balancing/drivers/haproxy/process.js'
import { ask } from '../../../src/agent/balancing/drivers/haproxy/socket.js'
import { parseStat } from '../../../src/agent/balancing/drivers/haproxy/stat.js'
import { readWorkers, socketOf } from '../../../src/agent/balancing/drivers/haproxy/worker.js'
import { createHaproxyDriver } from '../../../src/agent/balancing/drivers/haproxy.js'
import { daemonsOf } from '../../../src/agent/host/daemons.js'
import { run } from '../../../src/agent/host/run.js'
import { silentLogger } from '../../../src/agent/logger.js'
import type { VipPlace, VipPlaces } from '../../../src/agent/networks/vip-place.js'
import type { LoadBalancerIntent } from '../../../src/wire/balancing/intent.js'

/** The host's own addresses: nothing has to be made. */
const onTheHost: VipPlace = { namespace: null, enter: [] }

/** A driver with a directory of its own, and what it has started. */
export class HaproxyBench {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'keelson-haproxy-'))
  driver: BalancerDriver
  private keys: Readonly<Record<string, string>> = {}

  constructor(
    private readonly place: VipPlace = onTheHost,
    private readonly leavingMs?: number,
  ) {
    this.driver = this.anotherDriver()
  }

  /** As after a restart of the agent. */
  anotherDriver(): BalancerDriver {
    const places: VipPlaces = {
      ensure: async () => this.place,
      takeDown: async () => undefined,
      lastFor: () => undefined,
      renew: async () => true,
      remove: async () => undefined,
      list: async () => [],
    }
    return createHaproxyDriver({
      stateDir: this.stateDir,
      run,
      places,
      logger: silentLogger,
      leavingMs: this.leavingMs,
    })
  }

  wanted(balancer: LoadBalancerIntent) {
    return { generation: 1, balancer, keys: this.keys }
  }

  async apply(balancer: LoadBalancerIntent, keys: Readonly<Record<string, string>> = {}): Promise<void> {
    this.keys = keys
    await this.driver.apply(this.wanted(balancer), new AbortController().signal)
  }

  async observe(balancer: LoadBalancerIntent): Promise<Sighting> {
    const seen = await this.driver.observe(this.wanted(balancer))
    if (seen === null) throw new Error('there is no such balancer')
    return seen
  }

  directory(id: string): string {
    return join(this.stateDir, 'haproxy', id)
  }

  async master(id: string): Promise<number> {
    const pid = await findMaster(this.directory(id))
    if (pid === null) throw new Error('no haproxy runs')
    return pid
  }

  /** Names that the running process has servers by, also those that are leaving. */
  async servers(id: string): Promise<string[]> {
    const rows = parseStat(await ask(socketOf(await this.master(id), 'stats'), 'show stat', 5_000))
    return rows.filter(({ type }) => type === '2').map(({ svname }) => svname!)
  }

  async worker(id: string): Promise<number> {
    const workers = await readWorkers(await this.master(id))
    if (workers?.current == null) throw new Error('haproxy has no worker')
    return workers.current
  }

  /** Whatever is still there of it. */
  async rest(id: string): Promise<{ processes: number[]; isOnDisk: boolean }> {
    return { processes: await daemonsOf('haproxy', this.directory(id)), isOnDisk: existsSync(this.directory(id)) }
  }

  async end(): Promise<void> {
    for (const id of await this.driver.list()) await this.driver.remove(id, AbortSignal.abort())
    rmSync(this.stateDir, { recursive: true })
  }
}
