import { parseAddress } from '../agent/address-book.js'
import type { EngineAddress } from '../agent/config.js'
import { createHandlers, heldGenerationOf } from '../agent/handlers.js'
import { type HostDrivers, HostKeepers, type HostStates } from '../agent/host-keepers.js'
import type { HostIdentity } from '../agent/identity.js'
import type { Journal } from '../agent/journal.js'
import type { KnownCommand } from '../agent/journal-record.js'
import type { Logger } from '../agent/logger.js'
import { createObservationOutbox, type ObservationOutbox } from '../agent/observations.js'
import type { SessionTiming } from '../agent/open-session.js'
import { CertificateRenewal } from '../agent/renewal.js'
import { Runner, type RunnerStep } from '../agent/runner.js'
import { CurrentSession, type Session } from '../agent/session.js'
import { SessionClient, type SessionClientOptions } from '../agent/session-client.js'
import type { Close, CommandMessage, Hello, InventoryItem, Welcome } from '../wire/session.js'
import type { CommandLog, CommandStep } from './command-log.js'
import type { HostFaults } from './host-faults.js'
import type { Statistics } from './statistics.js'
import { unreliableHandlers } from './unreliable-handlers.js'
import { type RepeatedReports, unreliableReports } from './unreliable-reports.js'

export interface SimulatedAgentOptions {
  readonly hostName: string
  readonly bootId: string
  readonly engines: readonly EngineAddress[]
  readonly identity: () => HostIdentity
  readonly onRenewed: (identity: HostIdentity) => Promise<void>
  readonly journal: Journal
  readonly states: HostStates
  readonly drivers: HostDrivers
  readonly faults: HostFaults
  readonly statistics: Statistics
  readonly commandLog: CommandLog
  readonly logger: Logger
  /** All of the hello that the journal does not hold. */
  readonly introduction: () => Omit<Hello, 'agentId' | 'incarnation' | 'epoch' | 'seq'>
  /** Shown in the inventory beside what is managed. */
  readonly ownThings: readonly InventoryItem[]
  readonly onCommand: (command: CommandMessage) => void
  /** Between every two steps of a command; what never resolves stops it there. */
  readonly onStep: (step: RunnerStep, command: KnownCommand) => Promise<void>
  readonly timing?: Partial<SessionTiming>
  readonly backoff?: SessionClientOptions['backoff']
  readonly inTurn?: SessionClientOptions['inTurn']
}

const RUNNING_COMMANDS_MS = 2000

/**
 * One run of an agent's process on a simulated host: the agent's own session client, runner, keeper and outboxes; only
 * the drivers below the keeper have no effect, and faults sit between the parts.
 */
export class SimulatedAgent {
  readonly keepers: HostKeepers
  /** Outlives session clients, so that the network can be taken away from an agent that goes on. */
  private readonly current = new CurrentSession()
  private readonly runner: Runner
  private readonly observations: ObservationOutbox
  private readonly renewal: CertificateRenewal
  private readonly repeated: RepeatedReports = []
  private client: SessionClient | null = null
  private thawed: Promise<void> = Promise.resolve()
  private endFreeze: (() => void) | null = null
  private learned: readonly string[] = []

  constructor(private readonly options: SimulatedAgentOptions) {
    const { states, drivers, faults, bootId, logger, journal } = options
    this.renewal = new CertificateRenewal({
      identity: options.identity,
      onRenewed: options.onRenewed,
      current: this.current,
      logger,
    })
    this.observations = createObservationOutbox(this.current, logger, { random: faults.random })
    this.keepers = new HostKeepers({
      states,
      drivers,
      bootId,
      current: this.current,
      logger,
      random: faults.random,
      onObservation: (observation) => this.observations.put(observation.subject, observation),
      renewSession: () => this.client?.drop(),
    })
    this.runner = new Runner({
      journal,
      handlers: unreliableHandlers(createHandlers(this.keepers), faults, {
        running: () => this.thawed,
        acting: (_, { commandId }) => this.acting(commandId),
      }),
      current: this.current,
      logger,
      heldGeneration: heldGenerationOf(this.keepers),
      random: faults.random,
      hooks: { at: (step, command) => this.at(step, command) },
    })
  }

  get connected(): boolean {
    return this.current.session !== null
  }

  start(): void {
    this.keepers.start()
    this.renewal.start()
    this.connect()
  }

  /** Dials, unless it does already. */
  connect(): void {
    if (this.client !== null) return
    const { options } = this
    const client = new SessionClient({
      identity: options.identity,
      addresses: addressesOf(options),
      learned: this.learned,
      onLearned: (addresses) => {
        this.learned = addresses
      },
      logger: options.logger,
      timing: options.timing,
      backoff: options.backoff,
      inTurn: options.inTurn,
      random: options.faults.random,
      hello: () => this.hello(),
      onWelcome: (welcome) => this.welcome(welcome),
      onCommand: (command) => this.accept(command),
      onUnreadable: (command, error) => this.runner.refuse(command, error),
      onFloor: (floor) => this.runner.raiseFloor(floor),
      inventory: () => this.inventory(),
    })
    client.current.onChange((session) => {
      if (this.client === client) this.current.set(session && this.opened(session))
    })
    this.client = client
    client.start()
  }

  /** The connection goes without a word, and none follows until `connect`. */
  disconnect(): void {
    const { client } = this
    this.client = null
    client?.drop()
    void client?.stop('stopping')
    if (this.connected) this.current.set(null)
  }

  /** The connection goes without a word; the agent dials again at once. */
  reconnect(): void {
    this.client?.drop()
  }

  freeze(): void {
    if (this.endFreeze !== null) return
    this.thawed = new Promise((resolve) => {
      this.endFreeze = resolve
    })
    this.client?.freeze()
  }

  thaw(): void {
    this.client?.thaw()
    this.endFreeze?.()
    this.endFreeze = null
  }

  /** As a signal that cannot be caught: nothing is said, and nothing is ended in order. */
  kill(): void {
    this.disconnect()
    void this.runner.stop(0)
    this.observations.stop()
    this.renewal.stop()
    void this.keepers.stop()
    this.thaw()
  }

  async stop(reason: Close['reason']): Promise<void> {
    this.thaw()
    await this.runner.stop(RUNNING_COMMANDS_MS)
    this.observations.stop()
    this.renewal.stop()
    await this.client?.stop(reason)
    await this.keepers.stop()
    await this.options.journal.close()
  }

  private hello(): Hello {
    const { journal, introduction } = this.options
    const { agentId, incarnation, epoch, seq } = journal
    return { ...introduction(), agentId, incarnation, epoch, seq }
  }

  private async welcome({ epoch, incarnation, floor, settings }: Welcome): Promise<void> {
    const { journal } = this.options
    this.keepers.obey(settings)
    this.runner.raiseFloor(floor)
    await Promise.all([journal.sawEpoch(epoch), journal.serves(incarnation)])
  }

  private async *inventory(): AsyncIterable<InventoryItem> {
    yield* this.keepers.storage.inventory()
    yield* await this.keepers.balancing.inventory()
    yield* await this.keepers.guests.inventory()
    yield* this.options.ownThings
  }

  private opened(session: Session): Session {
    const { statistics } = this.options
    statistics.sessionsOpened += 1
    return unreliableReports(this.counting(session), this.options.faults, this.repeated)
  }

  private counting(session: Session): Session {
    const { statistics } = this.options
    return {
      epoch: session.epoch,
      address: session.address,
      permit: (commandId) => session.permit(commandId),
      observe: (observations) => session.observe(observations),
      renew: (csr) => session.renew(csr),
      report: async (reports) => {
        const acknowledged = await session.report(reports)
        statistics.reportsAcknowledged += acknowledged.length
        for (const { commandId, seq, state, fault } of reports) {
          if (acknowledged.includes(commandId))
            this.log('reported', { id: commandId, seq }, { state, fault: fault?.type })
        }
        return acknowledged
      },
    }
  }

  private accept(command: CommandMessage): void {
    this.options.statistics.commandsAccepted += 1
    this.log('accepted', command, { epoch: command.epoch })
    this.options.onCommand(command)
    this.runner.accept(command)
  }

  private acting(commandId: string): void {
    this.options.statistics.handled += 1
    const entry = this.options.journal.entry(commandId)
    if (entry !== undefined) this.log('acting', entry)
  }

  private at(step: RunnerStep, command: KnownCommand): Promise<void> {
    if (step === 'done') {
      const outcome = this.options.journal.entry(command.id)?.outcome
      if (outcome !== undefined) this.options.statistics.ended(outcome.state)
      this.log('ended', command, { state: outcome?.state, fault: outcome?.fault?.type })
    }
    return this.options.onStep(step, command)
  }

  private log(
    step: CommandStep,
    { id, seq, kind, subject, generation }: Pick<KnownCommand, 'id' | 'seq'> & Partial<KnownCommand>,
    more: { readonly epoch?: number; readonly state?: string; readonly fault?: string } = {},
  ): void {
    const { commandLog, hostName, journal } = this.options
    commandLog.write({
      host: hostName,
      step,
      commandId: id,
      seq,
      epoch: journal.epoch,
      kind,
      subject,
      generation,
      ...more,
    })
  }
}

/** The configured ones, else those that the plane told of. */
function addressesOf({ engines, identity }: SimulatedAgentOptions): readonly EngineAddress[] {
  if (engines.length > 0) return engines
  return identity().engines.flatMap((engine) => parseAddress(engine) ?? [])
}
