import type { LoadBalancerIntent, VipIntent } from '../../../../wire/balancing/intent.js'
import { FaultError, faultOf } from '../../../fault.js'
import type { Run } from '../../../host/run.js'
import type { Logger } from '../../../logger.js'
import type { VipPlace, VipPlaces } from '../../../networks/vip-place.js'
import type { Sighting } from '../../driver.js'
import { reloadWithHandOver } from './hand-over.js'
import type { Home } from './home.js'
import { Leavers } from './leavers.js'
import { memberChanges } from './member-changes.js'
import { refuseTakenPorts } from './ports.js'
import { findMaster, isInPlace, judge, reload, start, stop } from './process.js'
import { parseServerStates, renderServerStates, type ServerState } from './server-states.js'
import { sightingOf } from './sighting.js'
import { ask, tell } from './socket.js'
import { parseStat, type StatRow } from './stat.js'
import { countedOn, statisticsOf, type Totals } from './totals.js'
import { readWorkers, socketOf } from './worker.js'

const ASK_MS = 5000
const TELL_MS = 30_000
const ANYTHING = /^/

interface Means {
  readonly run: Run
  readonly places: VipPlaces
  readonly logger: Logger
  /** How long a member that has left may keep its connections. */
  readonly leavingMs?: number
}

/** One balancer on this host: its files and its process. One call at a time. */
export class LiveBalancer {
  private totals: Totals | null = null
  /** As they were when they were last seen: what a process that has to be started anew goes on with. */
  private lastStates: ReadonlyMap<string, ServerState> = new Map()
  private readonly leavers: Leavers

  constructor(
    private readonly id: string,
    private readonly home: Home,
    private readonly means: Means,
  ) {
    this.leavers = new Leavers(means.leavingMs)
  }

  /** @throws FaultError and what was in force stays so */
  async apply(vip: VipIntent, config: string, files: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
    const { home } = this
    const before = await home.readConfig()
    await home.prepare(config, files)
    try {
      if (before !== config) await judge(this.means.run, home.directory, home.candidate, signal)
      if (signal.aborted) throw new FaultError('aborted', 'haproxy was not started or reloaded: the time was over')
      await this.bringAbout(vip, before, config)
    } catch (error) {
      await this.undo(before)
      throw error
    }
    await home.tidy(files)
  }

  private async bringAbout(vip: VipIntent, before: string | null, config: string): Promise<void> {
    const { home } = this
    const place = await this.means.places.ensure(this.id, vip)
    await home.writePlace(place)
    const running = await findMaster(home.directory)
    const master = running !== null && (await isInPlace(running, place)) ? running : null
    const isKnown = master !== null && before !== null && (await home.isInForce(before))
    if (isKnown && before === config) return
    // workers without their master, or in another namespace
    if (master === null && before !== null) await stop(home.directory)
    await refuseTakenPorts(place, master === null ? '' : (before ?? ''), config)
    const changes = isKnown ? memberChanges(before, config) : null
    await home.setInForce(null)
    if (master !== null && changes !== null && (await this.changeMembers(master, changes))) {
      // the process has it already; a crash from here on costs a reload
      await home.commit()
    } else if (master !== null) await this.reload(master, before, config)
    else await this.startAnew(place, config)
    await home.setInForce(config)
  }

  /** @returns false: something of it cannot be done in a process that runs, and a reload sees to all of it */
  private async changeMembers(master: number, changes: Parameters<typeof tell>[1]): Promise<boolean> {
    try {
      await tell(socketOf(master, 'stats'), changes, TELL_MS)
      return true
    } catch (error) {
      this.means.logger.info({ balancer: this.id, error: faultOf(error).message }, 'haproxy is reloaded for a member')
      return false
    }
  }

  private async reload(master: number, before: string | null, config: string): Promise<void> {
    const { home } = this
    await this.count(master).catch(() => undefined)
    await home.writeStates(renderServerStates(config, await this.statesOf(master)))
    await home.commit()
    try {
      const last = await reloadWithHandOver(master, before, config, this.means.logger)
      if (last !== null && this.totals !== null) this.totals = countedOn(this.totals, last.worker, last.rows)
      await this.count(master).catch(() => undefined)
    } catch (error) {
      if (before === null) throw error
      // out of its wait for a configuration that it can start with
      await home.restoreConfig(before)
      await reload(master)
      await home.setInForce(before)
      throw error
    }
  }

  private async startAnew(place: VipPlace, config: string): Promise<void> {
    const { home } = this
    await home.writeStates(renderServerStates(config, this.lastStates))
    await home.commit()
    await start(this.means.run, home.directory, place)
  }

  /** Nothing of a balancer that never was; else the configuration that was, for the next start. */
  private async undo(before: string | null): Promise<void> {
    const { home } = this
    if (before === null) {
      await stop(home.directory)
      await this.means.places.remove(this.id)
      await home.remove()
    } else if ((await home.readConfig()) !== before) await home.restoreConfig(before)
  }

  /** What it does now; a process that has died is started by the way. Its VIP is left as it is: that is another's to say. */
  async observe(balancer: LoadBalancerIntent): Promise<Sighting> {
    try {
      const master = (await findMaster(this.home.directory)) ?? (await this.revive(balancer.vip))
      const rows = await this.count(master)
      this.lastStates = await this.statesOf(master)
      await this.seeOff(master, rows)
      return sightingOf(balancer, rows, this.statistics(balancer))
    } catch (error) {
      return {
        status: balancer.adminStateUp ? 'ERROR' : 'OFFLINE',
        fault: faultOf(error),
        detail: { statuses: {}, statistics: this.statistics(balancer) },
      }
    }
  }

  /** What cannot be done now is tried at the next look. */
  private async seeOff(master: number, rows: readonly StatRow[]): Promise<void> {
    const config = await this.home.readConfig()
    const lines = config === null ? [] : this.leavers.commands(config, rows, performance.now())
    const commands = lines.map((line) => ({ line, expects: ANYTHING }))
    await tell(socketOf(master, 'stats'), commands, TELL_MS).catch(() => undefined)
  }

  private async revive(vip: VipIntent): Promise<number> {
    const { home } = this
    const config = await home.readConfig()
    if (config === null) throw new FaultError('lost', 'the configuration of haproxy has gone')
    this.means.logger.warn({ balancer: this.id }, 'haproxy had ended, and is started again')
    await home.setInForce(null)
    await home.writeStates(renderServerStates(config, this.lastStates))
    const place = await home.readPlace()
    // an address of the host's own goes with a boot, and nobody else brings it back
    if (place.namespace === null) await this.means.places.ensure(this.id, vip)
    const master = await start(this.means.run, home.directory, place)
    await home.setInForce(config)
    return master
  }

  private async count(master: number): Promise<readonly StatRow[]> {
    const workers = await readWorkers(master)
    if (workers?.current == null) throw new FaultError('no-answer', 'haproxy does not answer')
    const rows = parseStat(await ask(socketOf(master, 'stats'), 'show stat', ASK_MS))
    const known = this.totals ?? (await this.home.readTotals())
    this.totals = countedOn(known, workers.current, rows)
    if (known.worker !== workers.current) await this.home.writeTotals(this.totals)
    return rows
  }

  private async statesOf(master: number): Promise<ReadonlyMap<string, ServerState>> {
    const text = await ask(socketOf(master, 'stats'), 'show servers state', ASK_MS).catch(() => '')
    return parseServerStates(text)
  }

  private statistics({ listeners }: LoadBalancerIntent) {
    return this.totals === null
      ? {}
      : statisticsOf(
          this.totals,
          listeners.map(({ id }) => id),
        )
  }
}
