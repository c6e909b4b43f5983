import { randomUUID } from 'node:crypto'
import type { BalancerDriver, Progress, Sighting, WantedBalancer } from '../../../src/agent/balancing/driver.js'
import { BalancerKeeper, type BalancerKeeperOptions } from '../../../src/agent/balancing/keeper.js'
import { BalancingState } from '../../../src/agent/balancing/state.js'
import { FaultError } from '../../../src/agent/fault.js'
import { silentLogger } from '../../../src/agent/logger.js'
import type { VipPlaces } from '../../../src/agent/networks/vip-place.js'
import type { BalancingApply } from '../../../src/wire/balancing/commands.js'
import type { LoadBalancerIntent } from '../../../src/wire/balancing/intent.js'
import { digestOf } from '../../../src/wire/digest.js'
import type { Observation } from '../../../src/wire/session.js'
import { ScriptedPlane } from './plane.js'
import { whenTestEnds } from './temporary.js'

type Step = 'apply' | 'remove' | 'observe' | 'progress'

/** A device that exists only here: what it has outlives a keeper, as processes outlive an agent. */
export class ScriptedDevice {
  readonly has = new Map<string, WantedBalancer>()
  readonly vips = new Set<string>()
  readonly calls: string[] = []
  readonly renewals: string[] = []
  /** What VIPs were said to last. */
  readonly lives: number[] = []
  /** Runs before each step takes effect; throwing is the device's no. */
  before: Partial<Record<Step, (id: string, signal?: AbortSignal) => Promise<void> | void>> = {}
  /** Runs when the effect is there, and before it is answered. */
  after: Partial<Record<Step, (id: string, signal: AbortSignal) => Promise<void> | void>> = {}
  /** What `apply` and `remove` are answered with; the effect of a PENDING one comes by `finish`. */
  answers: Progress = 'COMPLETED'
  sees: (wanted: WantedBalancer) => Sighting = () => ({
    status: 'ONLINE',
    fault: null,
    detail: { statuses: {}, statistics: {} },
  })
  private readonly open = new Map<string, () => void>()
  private readonly failed = new Map<string, FaultError>()

  readonly driver: BalancerDriver = {
    obstacle: async () => null,
    apply: (wanted, signal) =>
      this.step('apply', wanted.balancer.id, signal, () => {
        this.has.set(wanted.balancer.id, wanted)
        if (wanted.balancer.vip.network.bridge !== null) this.vips.add(wanted.balancer.id)
      }),
    progress: async (id) => {
      await this.before.progress?.(id)
      const fault = this.failed.get(id)
      if (fault !== undefined) throw fault
      return this.open.has(id) ? 'PENDING' : 'COMPLETED'
    },
    remove: (id, signal) =>
      this.step('remove', id, signal, () => {
        this.has.delete(id)
        this.vips.delete(id)
      }),
    check: async (wanted) => ({
      accepted: true,
      words: '',
      current: this.has.has(wanted.balancer.id) ? 'there' : null,
      planned: 'new',
    }),
    observe: async (wanted) => {
      this.calls.push('observe')
      await this.before.observe?.(wanted.balancer.id)
      return this.has.has(wanted.balancer.id) ? this.sees(wanted) : null
    },
    list: async () => [...this.has.keys()],
  }

  readonly places: VipPlaces = {
    ensure: async () => ({ namespace: null, enter: [] }),
    takeDown: async (id) => void this.vips.delete(id),
    lastFor: (lifeMs) => void this.lives.push(lifeMs),
    renew: async (id) => {
      this.renewals.push(id)
      return this.vips.has(id)
    },
    remove: async (id) => void this.vips.delete(id),
    list: async () => [...this.vips],
  }

  /** The device is done with what it was PENDING with. */
  finish(id: string, fault?: FaultError): void {
    if (fault !== undefined) this.failed.set(id, fault)
    else this.open.get(id)?.()
    this.open.delete(id)
  }

  steps(): string[] {
    return this.calls.filter((call) => call !== 'observe')
  }

  private async step(step: Step, id: string, signal: AbortSignal, effect: () => void): Promise<Progress> {
    this.calls.push(step)
    this.failed.delete(id)
    await this.before[step]?.(id, signal)
    if (this.answers === 'PENDING') this.open.set(id, effect)
    else effect()
    await this.after[step]?.(id, signal)
    return this.answers
  }
}

/** Until the signal: a device that does not answer. */
export const unanswered = (_: string, signal?: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => {
    const giveUp = () => reject(new FaultError('balancing.no-answer', 'no answer'))
    if (signal?.aborted) giveUp()
    else signal?.addEventListener('abort', giveUp, { once: true })
  })

export interface KeptBalancers {
  readonly keeper: BalancerKeeper
  readonly state: BalancingState
  readonly plane: ScriptedPlane
  readonly observations: Observation[]
  /** How often a session was asked to be made anew. */
  renewed: number
  end(): Promise<void>
}

/** One life of an agent on the device, in a session with a plane. */
export async function startBalancers(
  stateDir: string,
  device: ScriptedDevice,
  overrides: Partial<BalancerKeeperOptions> & { readonly away?: boolean } = {},
): Promise<KeptBalancers> {
  const plane = new ScriptedPlane()
  const observations: Observation[] = []
  const state = await BalancingState.load(stateDir)
  const kept: KeptBalancers = {
    state,
    plane,
    observations,
    renewed: 0,
    keeper: new BalancerKeeper({
      state,
      devices: [{ name: 'host', provider: 'simulated', driver: device.driver }],
      places: device.places,
      bootId: 'boot-1',
      current: plane.current,
      logger: silentLogger,
      onObservation: (observation) => void observations.push(observation),
      renewSession: () => {
        kept.renewed += 1
      },
      settings: { observeIntervalMs: 20 },
      statisticsEveryMs: 0,
      retry: { baseMs: 10, maxMs: 40 },
      ...overrides,
    }),
    end: () => kept.keeper.stop(),
  }
  whenTestEnds(() => kept.end())
  if (overrides.away !== true) plane.connect()
  kept.keeper.start()
  return kept
}

/** One listener, one pool of one member; its VIP is an address of the host, unless it is given a bridge. */
export function balancerIntent(
  overrides: Partial<LoadBalancerIntent> = {},
  { bridge = null }: { readonly bridge?: string | null } = {},
): LoadBalancerIntent {
  const pool = randomUUID()
  return {
    id: randomUUID(),
    name: 'web',
    adminStateUp: true,
    vip: {
      address: '192.0.2.10',
      network: {
        id: 'public',
        cidr: '192.0.2.0/24',
        gateway: null,
        bridge,
        createBridge: false,
        uplink: null,
        vlan: null,
        hostIsGateway: false,
      },
    },
    listeners: [listenerIntent({ defaultPoolId: pool })],
    pools: [
      {
        id: pool,
        adminStateUp: true,
        protocol: 'HTTP',
        algorithm: 'ROUND_ROBIN',
        persistence: null,
        monitor: null,
        members: [memberIntent()],
      },
    ],
    certificates: [],
    ...overrides,
  }
}

export const listenerIntent = (
  overrides: Partial<LoadBalancerIntent['listeners'][number]> = {},
): LoadBalancerIntent['listeners'][number] => ({
  id: randomUUID(),
  adminStateUp: true,
  protocol: 'HTTP',
  port: 80,
  connectionLimit: -1,
  defaultPoolId: null,
  allowedCidrs: [],
  insertHeaders: {},
  timeouts: { clientDataMs: 50_000, memberConnectMs: 5000, memberDataMs: 50_000, tcpInspectMs: 0 },
  certificateIds: [],
  policies: [],
  ...overrides,
})

export const memberIntent = (
  overrides: Partial<LoadBalancerIntent['pools'][number]['members'][number]> = {},
): LoadBalancerIntent['pools'][number]['members'][number] => ({
  id: randomUUID(),
  adminStateUp: true,
  address: '192.0.2.20',
  port: 8080,
  weight: 1,
  backup: false,
  monitorAddress: null,
  monitorPort: null,
  draining: false,
  ...overrides,
})

/** What a command says of it. */
export const applyOf = (balancer: LoadBalancerIntent, overrides: Partial<BalancingApply> = {}): BalancingApply => ({
  provider: 'simulated',
  device: { name: 'host', epoch: 1 },
  balancer,
  ...overrides,
})

export const removeOf = ({ id }: LoadBalancerIntent, epoch = 1) => ({
  loadBalancerId: id,
  provider: 'simulated' as const,
  device: { name: 'host', epoch },
})

export const forever = { signal: new AbortController().signal }
export const at = (generation: number, signal = forever.signal) => ({ generation, signal })

/** As the inventory says what is in force. */
export const inForce = (balancer: LoadBalancerIntent, generation: number) => ({
  subject: `load-balancer/${balancer.id}`,
  generation,
  digest: digestOf(balancer),
  origin: 'plane',
})
