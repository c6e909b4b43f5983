import 'reflect-metadata'
import { VIP_LEASES } from '../wire/balancing/providers.js'
import { commandKinds } from '../wire/commands.js'
import { type Hello, type HostFacts, type InventoryItem, PROTOCOL, type Welcome } from '../wire/session.js'
import { type Abilities, AbilityWatch, abilitiesOf } from './abilities.js'
import { createHostBalancing } from './balancing/drivers.js'
import type { HostBalancing } from './balancing/host-balancing.js'
import { BalancingState } from './balancing/state.js'
import { within } from './balancing/waits.js'
import type { AgentConfig } from './config.js'
import { type ControlAnswer, type ControlServer, serveControl } from './control.js'
import { engineAddresses } from './engine-addresses.js'
import type { HypervisorDriver } from './guests/driver.js'
import { LibvirtDriver } from './guests/libvirt/driver.js'
import { GuestState } from './guests/state.js'
import { createHandlers, heldGenerationOf } from './handlers.js'
import { heldError } from './holds.js'
import { readBootId, readHostFacts } from './host/facts.js'
import { type HostDrivers, HostKeepers, type HostStates } from './host-keepers.js'
import { type HostIdentity, writeIdentity } from './identity.js'
import { identityOrJoin } from './join.js'
import { type Journal, openJournal } from './journal.js'
import { readLearnedAddresses, writeLearnedAddresses } from './learned-addresses.js'
import type { Logger } from './logger.js'
import { createObservationOutbox, type ObservationOutbox } from './observations.js'
import { CertificateRenewal } from './renewal.js'
import { Runner } from './runner.js'
import { SessionClient } from './session-client.js'
import { lockStateDirectory, type StateLock } from './state-lock.js'
import { type AgentStatus, countEntries, identityStatus } from './status.js'
import { createStorageDrivers } from './storage/drivers.js'
import { type KernelConnection, readKernelConnections } from './storage/kernel.js'
import { OwnStorage } from './storage/own-storage.js'
import { StorageState } from './storage/state.js'
import { agentVersion } from './version.js'

export interface RunningAgent {
  stop(reason: 'stopping' | 'leaving'): Promise<void>
}

/** What a test puts in the place of this machine. */
export interface Surroundings {
  readonly kernel?: () => Promise<readonly KernelConnection[]>
  readonly balancing?: HostBalancing
  readonly hypervisor?: HypervisorDriver | null
}

const RUNNING_COMMANDS_MS = 10_000
const LAST_WORDS_MS = 1000
const STEP_MS = 5000

/**
 * Joins the plane first where the host has not.
 * @throws StateDirectoryError when another agent runs on the state directory, or it cannot be used; JoinError
 */
export async function startAgent(
  config: AgentConfig,
  logger: Logger,
  around: Surroundings = {},
): Promise<RunningAgent> {
  const lock = await lockStateDirectory(config.stateDir)
  try {
    return await Agent.start(config, lock, logger, around)
  } catch (error) {
    await lock.release()
    throw error
  }
}

interface Self {
  readonly bootId: string
  readonly facts: HostFacts
  readonly drivers: HostDrivers
  /** When it started. */
  readonly abilities: Abilities
}

class Agent implements RunningAgent {
  private control: ControlServer | null = null
  private stopped: Promise<void> | null = null
  private readonly client: SessionClient
  private readonly renewal: CertificateRenewal
  private readonly abilities: AbilityWatch
  private readonly runner: Runner
  private readonly observations: ObservationOutbox
  private readonly keepers: HostKeepers
  private readonly ownStorage: OwnStorage

  private constructor(
    private readonly lock: StateLock,
    private readonly logger: Logger,
    private readonly journal: Journal,
    private identity: HostIdentity,
    states: HostStates,
    learned: readonly string[],
    private readonly self: Self,
    config: AgentConfig,
    { kernel = readKernelConnections }: Surroundings,
  ) {
    this.client = new SessionClient({
      identity: () => this.identity,
      addresses: engineAddresses(config, identity),
      learned,
      onLearned: (addresses) => this.learned(addresses),
      logger,
      hello: () => this.hello(),
      onWelcome: (welcome) => this.welcome(welcome),
      onCommand: (command) => this.runner.accept(command),
      onUnreadable: (command, error) => this.runner.refuse(command, error),
      onFloor: (floor) => this.runner.raiseFloor(floor),
      inventory: () => this.inventory(),
    })
    this.renewal = new CertificateRenewal({
      identity: () => this.identity,
      onRenewed: (next) => this.renewed(next),
      current: this.client.current,
      logger,
    })
    this.abilities = new AbilityWatch(self.abilities, {
      drivers: self.drivers,
      logger,
      onChanged: () => this.client.drop(),
    })
    this.observations = createObservationOutbox(this.client.current, logger)
    this.keepers = new HostKeepers({
      states,
      drivers: self.drivers,
      bootId: self.bootId,
      current: this.client.current,
      logger,
      onObservation: (observation) => this.observations.put(observation.subject, observation),
      onOwnChange: () => this.ownStorage.changed(),
      renewSession: () => this.client.drop(),
    })
    this.ownStorage = new OwnStorage({
      stateDir: lock.stateDir,
      state: states.storage,
      keeper: this.keepers.storage,
      kernel,
      outbox: this.observations,
      current: this.client.current,
      logger,
    })
    this.runner = new Runner({
      journal,
      handlers: createHandlers(this.keepers),
      current: this.client.current,
      logger,
      heldGeneration: heldGenerationOf(this.keepers),
    })
  }

  static async start(config: AgentConfig, lock: StateLock, logger: Logger, around: Surroundings): Promise<Agent> {
    const { stateDir } = lock
    const identity = await identityOrJoin(stateDir, config, logger)
    const journal = await openJournal(stateDir, logger)
    const states = {
      storage: await StorageState.load(stateDir),
      balancing: await BalancingState.load(stateDir),
      guests: await GuestState.load(stateDir),
    }
    const { balancing = createHostBalancing(stateDir, logger) } = around
    const directoryOf = (connectionId: string) => agent.keepers.storage.directoryOf(connectionId)
    const { hypervisor = new LibvirtDriver({ stateDir, uri: config.libvirtUri, logger, directoryOf }) } = around
    const drivers = { storage: createStorageDrivers(stateDir), balancing, hypervisor }
    const abilities = await abilitiesOf(drivers)
    const self = { bootId: await readBootId(), facts: await readHostFacts(), drivers, abilities }
    const learned = await readLearnedAddresses(stateDir)
    const agent: Agent = new Agent(lock, logger, journal, identity, states, learned, self, config, around)
    agent.control = await serveControl(
      stateDir,
      {
        status: async () => ({ answer: await agent.status() }),
        leave: ({ force }) => agent.leave({ force: force === true }),
      },
      logger,
    )
    agent.keepers.start()
    await agent.ownStorage.start()
    agent.client.start()
    agent.renewal.start()
    agent.abilities.start()
    logger.info({ host: identity.name, hostId: identity.hostId, agentId: journal.agentId, stateDir }, 'agent started')
    return agent
  }

  /** Mounts stay: what is managed is taken up again by the next start (S7). */
  stop(reason: 'stopping' | 'leaving'): Promise<void> {
    this.stopped ??= this.stopInOrder(reason)
    return this.stopped
  }

  private async stopInOrder(reason: 'stopping' | 'leaving'): Promise<void> {
    await this.ownStorage.stop()
    await this.runner.stop(RUNNING_COMMANDS_MS)
    if (reason === 'leaving') await this.keepers.balancing.giveUp()
    if (this.client.current.session !== null) await this.observations.drained(LAST_WORDS_MS)
    this.observations.stop()
    this.renewal.stop()
    this.abilities.stop()
    await this.client.stop(reason)
    await within(STEP_MS, 'the last step', this.keepers.stop()).catch(() => undefined)
    await this.control?.close()
    await this.journal.close()
    await this.lock.release()
    this.logger.info({ reason }, 'agent stopped')
  }

  private hello(): Hello {
    const { journal, self } = this
    const { capabilities, lacks } = this.abilities.now
    return {
      agentId: journal.agentId,
      bootId: self.bootId,
      agentVersion: agentVersion(),
      protocol: PROTOCOL.current,
      kinds: Object.keys(commandKinds),
      capabilities: self.drivers.balancing.places === null ? capabilities : [...capabilities, VIP_LEASES],
      facts: { ...self.facts, lacks },
      incarnation: journal.incarnation,
      epoch: journal.epoch,
      seq: journal.seq,
    }
  }

  private async welcome({ epoch, incarnation, floor, settings }: Welcome): Promise<void> {
    const { journal, logger } = this
    if (journal.incarnation !== null && journal.incarnation !== incarnation) {
      const served = journal.incarnation
      logger.warn(
        { served, incarnation },
        'the plane runs on another incarnation of its database: nothing is let go of for that',
      )
    }
    this.keepers.obey(settings)
    this.runner.raiseFloor(floor)
    await Promise.all([journal.sawEpoch(epoch), journal.serves(incarnation)])
  }

  private async *inventory(): AsyncIterable<InventoryItem> {
    yield* this.ownStorage.inventory()
    yield* await this.keepers.balancing.inventory()
    yield* await this.keepers.guests.inventory()
  }

  private async renewed(next: HostIdentity): Promise<void> {
    await writeIdentity(this.lock.stateDir, next)
    this.identity = next
  }

  private learned(addresses: readonly string[]): void {
    writeLearnedAddresses(this.lock.stateDir, addresses).catch((error: unknown) => {
      this.logger.warn({ err: error }, 'the addresses of the replicas could not be kept')
    })
  }

  private async status(): Promise<AgentStatus> {
    const { journal, runner, identity } = this
    const { storage, balancing, guests } = this.keepers
    return {
      agent: 'running',
      ...identityStatus(identity),
      agentId: journal.agentId,
      incarnation: journal.incarnation,
      epoch: journal.epoch,
      session: this.client.status,
      queue: runner.queue,
      journal: {
        seq: journal.seq,
        floor: journal.floor,
        marks: journal.markCount,
        entries: countEntries(journal.entries()),
      },
      holds: {
        connections: storage.held(),
        leaving: storage.leaving(),
        unmanaged: await this.ownStorage.unmanaged(),
        untold: this.ownStorage.untold,
        balancers: balancing.held(),
        guests: guests.held(),
      },
    }
  }

  /** Answers first: the control socket goes with the agent. */
  private leave({ force }: { readonly force: boolean }): ControlAnswer {
    const { storage, balancing, guests } = this.keepers
    const held = heldError({ connections: storage.held(), balancers: balancing.held(), guests: guests.held() })
    if (held !== null && !force) return { error: held }
    if (this.client.current.session === null && !force) return { error: 'no engine can be told: there is no session' }
    setImmediate(() => void this.stop('leaving'))
    return { answer: { leaving: true } }
  }
}
