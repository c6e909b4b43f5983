import type { HandlerContext, Handlers } from '../../../src/agent/handlers.js'
import type { Journal } from '../../../src/agent/journal.js'
import { silentLogger } from '../../../src/agent/logger.js'
import { Runner, type RunnerStep } from '../../../src/agent/runner.js'
import { StorageKeeper } from '../../../src/agent/storage/keeper.js'
import { OwnConnections } from '../../../src/agent/storage/own-connections.js'
import type { CommandKind } from '../../../src/wire/commands.js'
import { type CommandMessage, InventoryItem, Observation, Report } from '../../../src/wire/session.js'
import { parseWire } from '../../../src/wire/validate.js'
import { command } from '../../agent/support/commands.js'
import { CrashAt } from '../../agent/support/crash.js'
import { ScriptedPlane } from '../../agent/support/plane.js'
import { eventually } from '../../support/eventually.js'
import type { MakeSubject, StorageSubject } from './subject.js'

const PATIENCE = { timeoutMs: 10_000 }
const hosts: ContractHost[] = []
const subjects: StorageSubject[] = []

/** One life of an agent's process on the subject: the agent's runner, journal and keeper, and a scripted plane. */
export class ContractHost {
  readonly plane = new ScriptedPlane()
  readonly observations: Observation[] = []
  /** Each time that a handler began. */
  readonly acted: CommandKind[] = []
  /** What programs of the host ask for. */
  readonly own: OwnConnections
  private readonly keeper: StorageKeeper
  private readonly runner: Runner
  private readonly crash: CrashAt

  private constructor(
    readonly subject: StorageSubject,
    readonly journal: Journal,
    state: Awaited<ReturnType<StorageSubject['openStorage']>>,
    crashAt: RunnerStep | 'never',
  ) {
    this.crash = new CrashAt(crashAt)
    this.keeper = new StorageKeeper({
      state,
      drivers: subject.drivers,
      bootId: 'boot-1',
      logger: silentLogger,
      backoff: { baseMs: 10, maxMs: 40 },
      settings: { probeIntervalMs: 30, probeTimeoutMs: 5000 },
      onObservation: (observation) => void this.observations.push(parseWire(Observation, observation)),
    })
    this.own = new OwnConnections(this.keeper, state, () => undefined)
    this.runner = new Runner({
      journal,
      handlers: noting(subject.handlersOf(this.keeper), this.acted),
      current: this.plane.current,
      logger: silentLogger,
      heldGeneration: (subject) => this.keeper.heldGeneration(subject),
      hooks: this.crash,
      backoff: { baseMs: 5, maxMs: 20 },
    })
  }

  static async start(makeSubject: MakeSubject): Promise<ContractHost> {
    const subject = await makeSubject()
    subjects.push(subject)
    return ContractHost.live(subject, 'never')
  }

  /** The next life on the same subject. */
  static async live(subject: StorageSubject, crashAt: RunnerStep | 'never'): Promise<ContractHost> {
    const host = new ContractHost(subject, await subject.openJournal(), await subject.openStorage(), crashAt)
    hosts.push(host)
    host.keeper.start()
    host.plane.connect(host.journal.epoch + 1)
    return host
  }

  /** Over the session that is open. */
  accept(sent: CommandMessage): void {
    this.acceptAsItIs({ ...sent, epoch: this.plane.current.session?.epoch ?? 1 })
  }

  acceptAsItIs(sent: CommandMessage): void {
    this.runner.accept(sent)
  }

  /** Sends a command and waits for the plane to have its end. */
  async carryOut(overrides: Partial<CommandMessage> = {}): Promise<Report> {
    const sent = command(overrides)
    this.accept(sent)
    return this.reportOf(sent.id)
  }

  reportOf(commandId: string): Promise<Report> {
    return eventually(() => {
      const report = this.plane.reportOf(commandId)
      expect(report).toBeDefined()
      return parseWire(Report, report)
    }, PATIENCE)
  }

  inventory(): InventoryItem[] {
    return this.keeper.inventory().map((item) => parseWire(InventoryItem, item))
  }

  /** Waits until the connection is seen so. */
  async shows(connectionId: string, status: string): Promise<Observation> {
    return eventually(() => {
      const seen = this.observations.filter(({ subject }) => subject === `storage-connection/${connectionId}`).at(-1)
      expect(seen?.status).toBe(status)
      return seen!
    }, PATIENCE)
  }

  statuses(connectionId: string): string[] {
    const of = this.observations.filter(({ subject }) => subject === `storage-connection/${connectionId}`)
    return of.map(({ status }) => status)
  }

  /** Waits until the kernel shows so many targets, where it shows any. */
  async isConnectedTo(count: number): Promise<void> {
    if ((await this.subject.connected()) === null) return
    await eventually(async () => expect(await this.subject.connected()).toBe(count), PATIENCE)
  }

  async crashed(): Promise<void> {
    await eventually(() => expect(this.crash.reached).toBe(true), PATIENCE)
    await this.end()
  }

  /** A dead process says nothing more and hears nothing more. */
  async end(): Promise<void> {
    this.plane.disconnect()
    const at = hosts.indexOf(this)
    if (at >= 0) hosts.splice(at, 1)
    await this.runner.stop(this.crash.reached ? 0 : 100)
    await this.keeper.stop()
    await this.journal.close()
  }
}

function noting(handlers: Handlers, acted: CommandKind[]): Handlers {
  const note = <P, R>(kind: CommandKind, handler: (payload: P, context: HandlerContext) => Promise<R>) => {
    return (payload: P, context: HandlerContext) => {
      acted.push(kind)
      return handler(payload, context)
    }
  }
  return {
    ...handlers,
    'storage.manage': note('storage.manage', handlers['storage.manage']),
    'storage.unmanage': note('storage.unmanage', handlers['storage.unmanage']),
    'storage.reset': note('storage.reset', handlers['storage.reset']),
    'balancing.apply': note('balancing.apply', handlers['balancing.apply']),
    'balancing.remove': note('balancing.remove', handlers['balancing.remove']),
    'balancing.check': note('balancing.check', handlers['balancing.check']),
  }
}

afterEach(async () => {
  await Promise.all([...hosts].map((host) => host.end()))
  await Promise.all(subjects.splice(0).map((subject) => subject.close()))
})
