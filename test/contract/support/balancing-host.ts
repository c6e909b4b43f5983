import { BalancerKeeper } from '../../../src/agent/balancing/keeper.js'
import { BalancingState } from '../../../src/agent/balancing/state.js'
import { silentLogger } from '../../../src/agent/logger.js'
import { BalancingApplied, BalancingChecked, BalancingRemoved } from '../../../src/wire/balancing/commands.js'
import type { LoadBalancerIntent } from '../../../src/wire/balancing/intent.js'
import { InventoryItem, Observation } from '../../../src/wire/session.js'
import { parseWire } from '../../../src/wire/validate.js'
import { ScriptedPlane } from '../../agent/support/plane.js'
import { whenTestEnds } from '../../agent/support/temporary.js'
import type { BalancingLife, BalancingSubject, MakeBalancingSubject } from './balancing-subject.js'

/** One life of an agent on the subject: its keeper and its drivers, in a session. */
export class BalancingHost {
  readonly observations: Observation[] = []
  private readonly keeper: BalancerKeeper
  private ended = false

  private constructor(
    readonly subject: BalancingSubject,
    private readonly life: BalancingLife,
    state: BalancingState,
  ) {
    const plane = new ScriptedPlane()
    this.keeper = new BalancerKeeper({
      ...life,
      state,
      bootId: 'boot-1',
      current: plane.current,
      logger: silentLogger,
      onObservation: (observation) => void this.observations.push(parseWire(Observation, observation)),
      renewSession: () => undefined,
      settings: { observeIntervalMs: 100 },
      retry: { baseMs: 20, maxMs: 100 },
    })
    plane.connect()
    this.keeper.start()
    whenTestEnds(() => this.end())
  }

  static async start(makeSubject: MakeBalancingSubject): Promise<BalancingHost> {
    const subject = await makeSubject()
    whenTestEnds(() => subject.close())
    return BalancingHost.live(subject)
  }

  static async live(subject: BalancingSubject, stopAt: number | null = null): Promise<BalancingHost> {
    return new BalancingHost(subject, await subject.open(stopAt), await BalancingState.load(subject.stateDir))
  }

  get halted(): Promise<void> {
    return this.life.halted
  }

  async apply(balancer: LoadBalancerIntent, generation: number): Promise<BalancingApplied> {
    const context = { generation, signal: AbortSignal.timeout(30_000) }
    return parseWire(BalancingApplied, { ...(await this.keeper.apply({ ...this.place, balancer }, context)) })
  }

  async remove({ id }: LoadBalancerIntent): Promise<string> {
    const command = { ...this.place, loadBalancerId: id }
    const removed = await this.keeper.remove(command, { signal: AbortSignal.timeout(30_000) })
    return parseWire(BalancingRemoved, { ...removed }).outcome
  }

  async check(balancer: LoadBalancerIntent): Promise<BalancingChecked> {
    const checked = await this.keeper.check({ ...this.place, balancer }, { generation: 99 })
    return parseWire(BalancingChecked, { ...checked })
  }

  async inventory(): Promise<InventoryItem[]> {
    return (await this.keeper.inventory()).map((item) => parseWire(InventoryItem, item))
  }

  async list(): Promise<string[]> {
    return (await Promise.all(this.life.devices.map(({ driver }) => driver.list()))).flat()
  }

  async end(): Promise<void> {
    if (this.ended) return
    this.ended = true
    await this.keeper.stop()
  }

  /** Nothing of it is waited for: what it was at comes to nothing. */
  die(): void {
    this.ended = true
    void this.keeper.stop()
  }

  private get place() {
    const { provider, device } = this.subject
    return { provider, device: { name: device, epoch: 1 } }
  }
}
