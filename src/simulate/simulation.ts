import { randomInt } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { StateDirectoryError } from '../agent/state-error.js'
import { Appliance } from './balancing/appliance.js'
import { type CommandLog, noCommandLog, openCommandLog } from './command-log.js'
import type { SimulationConfig } from './config.js'
import { SimulatedDisks } from './guests/disks.js'
import { HostFaults } from './host-faults.js'
import { textMatcher } from './host-selector.js'
import { enrolling, type Identities } from './identities.js'
import { QuietLoggers, type SimulationLogger } from './quiet-logger.js'
import { quietScenario, readScenario, type Scenario } from './scenario.js'
import { SimulatedHost } from './simulated-host.js'
import { Statistics } from './statistics.js'
import { type PlayedHost, Timetable } from './timetable.js'
import { Turns } from './turns.js'

export interface RunningSimulation {
  readonly seed: number
  readonly hosts: readonly SimulatedHost[]
  summary(): Summary
  /** Every host says farewell. */
  stop(): Promise<void>
}

export interface Summary {
  readonly hosts: number
  readonly connected: number
  readonly statistics: Readonly<Statistics>
}

const SUMMARY_EVERY_MS = 10_000
const START_EVERY_MS = 20
/** A core that begins thousands of connections at once is done with the first when all have run out of time. */
const DIALS_AT_ONCE = 256
const FAREWELLS_AT_ONCE = 500
/** An engine that does not answer is not waited for any longer than that. */
const FAREWELLS_WITHIN_MS = 15_000
const LAST_SEED = 4_294_967_295

/**
 * Plays `config.hosts` hosts until `stop`.
 * @param identities where the hosts have their certificates from; by default they are enrolled
 * @throws ScenarioError, JoinError
 */
export async function startSimulation(
  config: SimulationConfig,
  logger: SimulationLogger,
  identities?: Identities,
): Promise<RunningSimulation> {
  const scenario = config.scenario === null ? quietScenario : await readScenario(config.scenario)
  const seed = config.seed ?? scenario.seed ?? randomInt(LAST_SEED)
  if (config.stateDir !== null) await makeStateDirectory(config.stateDir)
  const log = (error: Error) => logger.error({ err: error }, 'the command log cannot be written')
  const commandLog = config.commandLog === null ? noCommandLog : openCommandLog(config.commandLog, log)
  const from = identities ?? (await enrolling(config, logger))
  const simulation = new Simulation(config, scenario, seed, commandLog, logger, from)
  simulation.start()
  return simulation
}

interface ReachedAppliance {
  readonly appliance: Appliance
  readonly reaches: (hostName: string) => boolean
}

class Simulation implements RunningSimulation {
  private readonly statistics = new Statistics()
  private readonly played: readonly PlayedHost[]
  private readonly timetable: Timetable
  private readonly loggers: QuietLoggers
  private readonly turns = new Turns(DIALS_AT_ONCE)
  private readonly startedMs = performance.now()
  private readonly appliances: readonly ReachedAppliance[]
  private readonly sharedDisks = new SimulatedDisks()
  private starting: NodeJS.Timeout | null = null
  private summing: NodeJS.Timeout | null = null

  constructor(
    private readonly config: SimulationConfig,
    scenario: Scenario,
    readonly seed: number,
    private readonly commandLog: CommandLog,
    private readonly logger: SimulationLogger,
    private readonly identities: Identities,
  ) {
    const { statistics } = this
    this.appliances = config.appliances.map(({ name, hosts }) => {
      return { appliance: new Appliance(name), reaches: textMatcher(hosts) }
    })
    this.loggers = new QuietLoggers(logger)
    const elapsedMs = () => performance.now() - this.startedMs
    this.played = hostNames(config).map((hostName) => {
      const faults = new HostFaults({ scenario, seed, hostName, statistics, elapsedMs })
      return { faults, host: this.makeHost(hostName, faults) }
    })
    this.timetable = new Timetable({ scenario, seed, played: this.played, statistics, elapsedMs })
  }

  get hosts(): readonly SimulatedHost[] {
    return this.played.map(({ host }) => host)
  }

  start(): void {
    const { hosts, namePrefix, engines, scenario, connectPerSecond } = this.config
    this.logger.info({ hosts, namePrefix, engines, scenario, seed: this.seed }, 'simulation started')
    this.startFrom(0, connectPerSecond)
    this.timetable.start()
    // also what keeps the process alive while no host has a connection
    this.summing = setInterval(() => {
      this.loggers.renew()
      this.logger.info(this.summary(), 'simulation')
    }, SUMMARY_EVERY_MS)
  }

  summary(): Summary {
    const connected = this.played.filter(({ host }) => host.connected).length
    return { hosts: this.played.length, connected, statistics: this.statistics }
  }

  async stop(): Promise<void> {
    this.timetable.stop()
    this.identities.stop()
    if (this.starting !== null) clearTimeout(this.starting)
    if (this.summing !== null) clearInterval(this.summing)
    const { hosts } = this
    this.logger.info(this.summary(), 'simulation stops')
    const untilMs = performance.now() + FAREWELLS_WITHIN_MS
    for (let first = 0; first < hosts.length; first += FAREWELLS_AT_ONCE) {
      const next = hosts.slice(first, first + FAREWELLS_AT_ONCE)
      if (performance.now() < untilMs) await Promise.all(next.map((host) => host.stop()))
      else for (const host of next) host.kill()
    }
    await this.commandLog.close()
  }

  /** By the clock, so that a busy moment delays hosts but does not slow the rest down. */
  private startFrom(first: number, perSecond: number): void {
    const due = Math.min(this.played.length, Math.ceil(((performance.now() - this.startedMs) / 1000) * perSecond) + 1)
    for (const { host } of this.played.slice(first, due)) void host.start()
    if (due < this.played.length) this.starting = setTimeout(() => this.startFrom(due, perSecond), START_EVERY_MS)
  }

  private makeHost(name: string, faults: HostFaults): SimulatedHost {
    const { engines, stateDir } = this.config
    return new SimulatedHost({
      name,
      engines,
      identities: this.identities,
      faults,
      sharedDisks: this.sharedDisks,
      appliances: this.appliances.filter(({ reaches }) => reaches(name)).map(({ appliance }) => appliance),
      statistics: this.statistics,
      commandLog: this.commandLog,
      inTurn: (connect) => this.turns.pass(connect),
      logger: this.loggers.of(name),
      stateDir: stateDir === null ? undefined : join(stateDir, name),
    })
  }
}

async function makeStateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new StateDirectoryError(`the state directory ${path} cannot be used: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function hostNames({ hosts, namePrefix }: SimulationConfig): string[] {
  return Array.from({ length: hosts }, (_, index) => `${namePrefix}${index + 1}`)
}
