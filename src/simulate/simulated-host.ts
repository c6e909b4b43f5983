import { type BalancingDevice, HOST_DEVICE } from '../agent/balancing/devices.js'
import type { HeldBalancer } from '../agent/balancing/held.js'
import type { HostBalancing } from '../agent/balancing/host-balancing.js'
import type { EngineAddress } from '../agent/config.js'
import type { HostIdentity } from '../agent/identity.js'
import type { KnownCommand } from '../agent/journal-record.js'
import type { Logger } from '../agent/logger.js'
import type { RunnerStep } from '../agent/runner.js'
import { digestOf } from '../wire/digest.js'
import { HOST_CONNECTION } from '../wire/own-things.js'
import type { CommandMessage, InventoryItem } from '../wire/session.js'
import type { Appliance } from './balancing/appliance.js'
import { SimulatedDevice } from './balancing/device.js'
import { simulatedHostDriver, simulatedPlaces } from './balancing/host-driver.js'
import { type CommandLog, noCommandLog } from './command-log.js'
import { DirectoryDisk } from './directory-disk.js'
import type { Disk } from './disk.js'
import type { FaultParameters, Loss } from './fault-parameters.js'
import { SimulatedDisks } from './guests/disks.js'
import { SimulatedHypervisor } from './guests/hypervisor.js'
import type { HostFaults } from './host-faults.js'
import type { Identities } from './identities.js'
import { agentIdOf, bootIdOf, introductionOf } from './introduction.js'
import { MemoryDisk } from './memory-disk.js'
import { SimulatedAgent, type SimulatedAgentOptions } from './simulated-agent.js'
import type { Statistics } from './statistics.js'
import { simulatedDrivers } from './storage-drivers.js'

export interface SimulatedHostOptions {
  readonly name: string
  readonly engines: readonly EngineAddress[]
  readonly identities: Identities
  readonly faults: HostFaults
  readonly statistics: Statistics
  readonly logger: Logger
  readonly commandLog?: CommandLog
  /** Directory of this host's state; without it the state is in memory. */
  readonly stateDir?: string
  readonly timing?: SimulatedAgentOptions['timing']
  readonly backoff?: SimulatedAgentOptions['backoff']
  readonly inTurn?: SimulatedAgentOptions['inTurn']
  /** What hosts have in common of storage; left out: this host has it to itself. */
  readonly sharedDisks?: SimulatedDisks
  /** Those that this host reaches. */
  readonly appliances?: readonly Appliance[]
}

/** A machine with a disk, a kernel and an agent on it, and all that can happen to them. */
export class SimulatedHost {
  private readonly disk: Disk
  private readonly mounts = new Set<string>()
  private readonly balancers = new SimulatedDevice()
  private readonly hypervisor: SimulatedHypervisor
  private readonly ownThings: InventoryItem[] = []
  private agent: SimulatedAgent | null = null
  private identity: HostIdentity | null = null
  private boot = 1
  private readonly old: FaultParameters['old-protocol'] | null
  /** Made at the first start. */
  private extra: FaultParameters['extra'] | null
  private returning: NodeJS.Timeout | null = null
  /** What happens to a machine happens one after the other. */
  private turn: Promise<void> = Promise.resolve()

  constructor(private readonly options: SimulatedHostOptions) {
    const { stateDir, name, logger, faults, sharedDisks = new SimulatedDisks() } = options
    this.hypervisor = new SimulatedHypervisor(faults, sharedDisks)
    this.old = faults.strike('old-protocol')
    this.extra = faults.strike('extra')
    this.disk = stateDir === undefined ? new MemoryDisk(agentIdOf(name)) : new DirectoryDisk(stateDir, logger)
  }

  get name(): string {
    return this.options.name
  }

  get connected(): boolean {
    return this.agent?.connected ?? false
  }

  /** What its kernel has of load balancers, whether its agent runs or not. */
  get balancerDevice(): SimulatedDevice {
    return this.balancers
  }

  heldBalancers(): readonly HeldBalancer[] {
    return this.agent?.keepers.balancing.held() ?? []
  }

  /** What runs its guests, whether its agent runs or not. */
  get guests(): SimulatedHypervisor {
    return this.hypervisor
  }

  /** What it holds of storage, as its inventory says it. */
  inventory(): readonly InventoryItem[] {
    return [...(this.agent?.keepers.storage.inventory() ?? []), ...this.ownThings]
  }

  start(): Promise<void> {
    return this.next(async () => {
      if (this.agent !== null) return
      const { name, identities } = this.options
      this.identity ??= await identities.of(name)
      if (this.identity === null) return
      this.agent = await this.makeAgent(this.identity)
      if (this.extra !== null) await this.make(this.extra)
      this.extra = null
      this.agent.start()
    })
  }

  /** In order: the agent says farewell. */
  stop(reason: 'stopping' | 'leaving' = 'stopping'): Promise<void> {
    return this.next(async () => {
      this.comeBack(null, () => undefined)
      const { agent } = this
      this.agent = null
      await agent?.stop(reason)
    })
  }

  /** At once and for good, without a word. */
  kill(): void {
    this.comeBack(null, () => undefined)
    this.agent?.kill()
    this.agent = null
  }

  vanish(forMs: number | null): void {
    this.agent?.disconnect()
    this.comeBack(forMs, () => this.return())
  }

  freeze(forMs: number | null): void {
    this.agent?.freeze()
    this.comeBack(forMs, () => this.thaw())
  }

  thaw(): void {
    this.agent?.thaw()
  }

  /** Ends what took the host away, whatever it was. */
  return(): void {
    this.comeBack(null, () => undefined)
    if (this.agent === null) void this.start()
    else this.agent.connect()
  }

  crash(forMs: number | null, { reboot }: { readonly reboot: boolean } = { reboot: false }): Promise<void> {
    return this.restart(forMs, async () => {
      if (!reboot) return
      this.mounts.clear()
      this.balancers.clear()
      this.hypervisor.powerOff()
      this.boot += 1
    })
  }

  loseState(forMs: number | null, losses: readonly Loss[]): Promise<void> {
    return this.restart(forMs, () => this.disk.lose(losses))
  }

  snapshot(): Promise<void> {
    return this.next(() => this.disk.snapshot())
  }

  restore(forMs: number | null): Promise<void> {
    return this.restart(forMs, () => this.disk.restore())
  }

  /** Things that the plane has not asked for; it learns of them by the inventory of the next session. */
  showUnknown(extra: FaultParameters['extra']): Promise<void> {
    return this.next(async () => {
      await this.make(extra)
      this.agent?.reconnect()
    })
  }

  /** The agent's process is killed at once; what follows waits for its turn. */
  private async restart(forMs: number | null, change: () => Promise<void>): Promise<void> {
    this.agent?.kill()
    await this.next(async () => {
      this.agent?.kill()
      this.agent = null
      await change()
      this.comeBack(forMs, () => void this.start())
    })
  }

  private async make({ connections, prefix, origin }: FaultParameters['extra']): Promise<void> {
    for (let number = 1; number <= connections; number += 1) {
      const connectionId = `${prefix}${number}`
      const intent = { uri: `local:///srv/${encodeURIComponent(connectionId)}`, options: {} }
      if (origin === 'plane') await this.agent?.keepers.storage.manage({ connectionId, ...intent }, 1)
      else this.ownThings.push(ownThing(connectionId, intent))
    }
  }

  private async makeAgent(identity: HostIdentity): Promise<SimulatedAgent> {
    const { name, identities, faults, commandLog = noCommandLog } = this.options
    const balancing = this.balancing()
    const bootId = bootIdOf(name, this.boot)
    const journal = await this.disk.openJournal()
    return new SimulatedAgent({
      ...this.options,
      hostName: name,
      commandLog,
      bootId,
      identity: () => this.identity ?? identity,
      onRenewed: async (next) => {
        await identities.renewed(next)
        this.identity = next
      },
      journal,
      states: await this.disk.openStates(),
      drivers: {
        storage: simulatedDrivers({ mounts: this.mounts, outageOf: (target) => faults.outageOf(target) }),
        balancing,
        hypervisor: this.hypervisor,
      },
      ownThings: this.ownThings,
      introduction: () => introductionOf({ name, bootId, old: this.old, devices: balancing.devices }),
      onCommand: (command) => this.strikeAt(command),
      onStep: (step, command) => this.crashAt(step, command),
    })
  }

  /** Of itself, and of the appliances that it reaches. */
  private balancing(): HostBalancing {
    const { name, faults, appliances = [] } = this.options
    const own = {
      name: HOST_DEVICE,
      provider: 'simulated',
      driver: simulatedHostDriver(this.balancers, faults),
    } as const
    const reached = appliances.map((appliance): BalancingDevice => {
      return { name: appliance.name, provider: 'simulated', driver: appliance.driverOf(name, faults) }
    })
    return { devices: [own, ...reached], places: simulatedPlaces(this.balancers) }
  }

  /** Faults of the host's life that a rule ties to commands. */
  private strikeAt({ kind }: CommandMessage): void {
    const { faults } = this.options
    const vanish = faults.strike('vanish', kind)
    if (vanish !== null) setImmediate(() => this.vanish(vanish.forMs))
    const freeze = faults.strike('freeze', kind)
    if (freeze !== null) setImmediate(() => this.freeze(freeze.forMs))
    const lost = faults.strike('lose-state', kind)
    if (lost !== null) setImmediate(() => void this.loseState(lost.forMs, lost.loses))
    const restore = faults.strike('restore', kind)
    if (restore !== null) setImmediate(() => void this.restore(restore.forMs))
  }

  private async crashAt(step: RunnerStep, { kind }: KnownCommand): Promise<void> {
    const { faults } = this.options
    const crash = faults.strike('crash', kind, (told) => told.step === null || told.step === step)
    if (crash === null) return
    void this.crash(crash.forMs, crash)
    // what a killed process would have done next
    await new Promise<void>(() => undefined)
  }

  private comeBack(inMs: number | null, work: () => void): void {
    if (this.returning !== null) clearTimeout(this.returning)
    this.returning = inMs === null ? null : setTimeout(work, inMs).unref()
  }

  private next(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work)
    this.turn = done.catch((error: unknown) => {
      this.options.logger.error({ err: error }, 'a simulated host broke')
    })
    return done
  }
}

const ownThing = (connectionId: string, intent: { readonly uri: string; readonly options: object }): InventoryItem => ({
  subject: `${HOST_CONNECTION}/${connectionId}`,
  generation: 0,
  status: 'UP',
  origin: 'host',
  digest: digestOf(intent),
  fault: null,
  detail: { uri: intent.uri, target: intent.uri, options: intent.options, mountPoint: null },
})
