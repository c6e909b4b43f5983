import { silentLogger } from '../../../src/agent/logger.js'
import type { Grip, Means, ProbeResult, StorageDriver, StorageDrivers } from '../../../src/agent/storage/driver.js'
import { type KeeperOptions, StorageKeeper } from '../../../src/agent/storage/keeper.js'
import { StorageState } from '../../../src/agent/storage/state.js'
import type { Fault, Observation } from '../../../src/wire/session.js'
import type { StorageOptions } from '../../../src/wire/storage/arguments.js'
import { type StorageUri, storageSchemes } from '../../../src/wire/storage/uri.js'
import { whenTestEnds } from './temporary.js'

type Step = 'connect' | 'disconnect' | 'probe'

/** Storage that exists only here: what is connected outlives a keeper, as mounts outlive an agent. */
export class ScriptedStorage {
  readonly connected = new Map<string, StorageOptions>()
  /** Those of the last connecting. */
  readonly credentials = new Map<string, Means['credentials']>()
  readonly calls: string[] = []
  /** Runs before each step; throwing is the step's failure. */
  before: Partial<Record<Step, (target: string) => Promise<void> | void>> = {}
  seen: ProbeResult = { seen: 'up' }
  /** What of the host stands in the way of a kind of a scheme. */
  obstacle: (kind: string | null) => Fault | null = () => null
  atOnce = 0
  mostAtOnce = 0

  readonly driver: StorageDriver = {
    obstacle: async (kind) => this.obstacle(kind ?? null),
    isConnected: async ({ target }: StorageUri) => this.connected.has(target),
    recognises: ({ target }: StorageUri, seen) => (seen.uri === target ? 'itself' : null),
    connect: ({ target }: StorageUri, means: Means) =>
      this.step('connect', target, () => {
        this.connected.set(target, means.options)
        this.credentials.set(target, means.credentials)
      }),
    disconnect: ({ target }: StorageUri, grip: Grip) =>
      this.step('disconnect', target, () => void this.connected.delete(target), ` ${grip}`),
    probe: async ({ target }: StorageUri) => {
      await this.step('probe', target, () => undefined)
      if (this.connected.has(target)) return this.seen
      return { seen: 'lost', fault: { type: 'mount', message: 'no longer mounted', number: 477 } }
    },
  }

  steps(): string[] {
    return this.calls.filter((call) => !call.startsWith('probe'))
  }

  private async step(step: Step, target: string, effect: () => void, how = ''): Promise<void> {
    this.calls.push(`${step}${how}`)
    this.atOnce += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce)
    try {
      await this.before[step]?.(target)
      effect()
    } finally {
      this.atOnce -= 1
    }
  }
}

export interface KeptStorage {
  readonly keeper: StorageKeeper
  readonly observations: Observation[]
  /** The newest status seen of a connection. */
  status(connectionId: string): string | undefined
  statuses(connectionId: string): string[]
}

export async function startKeeper(
  stateDir: string,
  storage: ScriptedStorage,
  overrides: Partial<KeeperOptions> = {},
): Promise<KeptStorage> {
  const observations: Observation[] = []
  const keeper = new StorageKeeper({
    state: await StorageState.load(stateDir),
    // The scripted driver takes the URIs of every scheme.
    drivers: Object.fromEntries(storageSchemes.map((scheme) => [scheme, storage.driver])) as StorageDrivers,
    bootId: 'boot-1',
    logger: silentLogger,
    onObservation: (observation) => void observations.push(observation),
    backoff: { baseMs: 10, maxMs: 40 },
    settings: { probeIntervalMs: 20, probeTimeoutMs: 100 },
    ...overrides,
  })
  whenTestEnds(() => keeper.stop())
  keeper.start()
  const of = (id: string) => observations.filter(({ subject }) => subject === `storage-connection/${id}`)
  return {
    keeper,
    observations,
    status: (id) => of(id).at(-1)?.status,
    statuses: (id) => of(id).map(({ status }) => status),
  }
}

export const manage = (connectionId: string, uri = 'local:///srv', options: Record<string, string> = {}) => ({
  connectionId,
  uri,
  options,
})
