import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sighting } from '../../../src/agent/balancing/driver.js'
import { createNginxDriver, type NginxDriver } from '../../../src/agent/balancing/drivers/nginx.js'
import { type Run, run } from '../../../src/agent/host/run.js'
import { silentLogger } from '../../../src/agent/logger.js'
import type { VipPlace, VipPlaces } from '../../../src/agent/networks/vip-place.js'
import type { LoadBalancerIntent } from '../../../src/wire/balancing/intent.js'
import { eventually } from '../../support/eventually.js'
import { fromRoot } from '../../support/process.js'

/** Addresses of the host itself, or of a namespace that the test has made. */
export class GivenPlaces implements VipPlaces {
  readonly ensured: string[] = []
  readonly removed: string[] = []

  constructor(private readonly place: VipPlace = { namespace: null, enter: [] }) {}

  async ensure(balancerId: string): Promise<VipPlace> {
    this.ensured.push(balancerId)
    return this.place
  }

  async takeDown(): Promise<void> {}

  lastFor(): void {}

  async renew(): Promise<boolean> {
    return true
  }

  async remove(balancerId: string): Promise<void> {
    this.removed.push(balancerId)
  }

  async list(): Promise<readonly string[]> {
    return []
  }
}

/** A driver on this machine, with a state directory of its own. */
export class TriedNginx {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'keelson-nginx-'))
  driver: NginxDriver
  private generation = 0

  constructor(readonly places = new GivenPlaces()) {
    this.driver = this.makeDriver()
  }

  makeDriver(byRun: Run = run): NginxDriver {
    return createNginxDriver({
      stateDir: this.stateDir,
      run: byRun,
      places: this.places,
      logger: silentLogger,
      checkerScript: fromRoot('dist/src/agent/balancing/drivers/nginx/checker-main.js'),
    })
  }

  wanted = (balancer: LoadBalancerIntent, keys: Readonly<Record<string, string>> = {}) => {
    this.generation += 1
    return { generation: this.generation, balancer, keys }
  }

  apply(balancer: LoadBalancerIntent, keys: Readonly<Record<string, string>> = {}): Promise<string> {
    return this.driver.apply(this.wanted(balancer, keys), AbortSignal.timeout(60_000))
  }

  observe(balancer: LoadBalancerIntent): Promise<Sighting | null> {
    return this.driver.observe(this.wanted(balancer))
  }

  /** Waits until these are the statuses, by id. */
  seen(balancer: LoadBalancerIntent, statuses: Readonly<Record<string, string>>): Promise<Sighting> {
    return eventually(async () => {
      const sighting = await this.observe(balancer)
      expect(sighting?.detail.statuses).toMatchObject(statuses)
      return sighting!
    })
  }

  /** Of all that its balancers run: role and pid. */
  processes(): { pid: number; title: string }[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          const title = readFileSync(`/proc/${name}/cmdline`, 'utf8').replace(/\0.*$/s, '')
          const isOurs = title.startsWith('nginx: ') && readlinkSync(`/proc/${name}/cwd`).startsWith(this.stateDir)
          return isOurs ? [{ pid: Number(name), title }] : []
        } catch {
          return []
        }
      })
  }

  master(): number {
    const found = this.processes().find(({ title }) => title.startsWith('nginx: master'))
    if (found === undefined) throw new Error('no nginx runs')
    return found.pid
  }

  workers(): number[] {
    return this.processes()
      .filter(({ title }) => title === 'nginx: worker process')
      .map(({ pid }) => pid)
      .sort((left, right) => left - right)
  }

  /** Both of them: the second one may come a moment after the first. */
  settledWorkers(): Promise<number[]> {
    return eventually(() => {
      const workers = this.workers()
      expect(workers).toHaveLength(2)
      return workers
    })
  }

  async stop(): Promise<void> {
    for (const id of await this.driver.list()) await this.driver.remove(id, AbortSignal.timeout(20_000))
    await this.driver.close()
    rmSync(this.stateDir, { recursive: true, force: true })
  }
}
