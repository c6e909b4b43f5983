import { randomUUID } from 'node:crypto'
import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Balancers } from '../../../src/engine/balancing/balancers.service.js'
import type { NewBalancer } from '../../../src/engine/balancing/new-balancer.js'
import type { Tree } from '../../../src/engine/balancing/tree.js'
import { anonymous, type Caller } from '../../../src/engine/platform/caller.js'
import type { BalancingApply } from '../../../src/wire/balancing/commands.js'
import type { CommandMessage, Hello } from '../../../src/wire/session.js'
import { startTestEngine, type TestEngine } from '../../support/engine.js'
import { helloOf, type TestHello, WireAgent } from '../../support/wire-agent.js'

export const DEFAULT_PROJECT = '00000000-0000-4000-8000-00000000d0d0'

/** May do everything in the plane. */
export const administrator: Caller = { ...anonymous, name: 'administrator', plane: 'admin' }

export interface BalancingEngine extends TestEngine {
  readonly balancers: Balancers
  readonly networkId: string
  /** A balancer with nothing under it, unless `build` says otherwise. */
  make(wanted?: Partial<NewBalancer>): Promise<Tree>
}

/** An engine with a network, and its service of balancers at hand: what either face calls. */
export async function startBalancingEngine(): Promise<BalancingEngine> {
  let app: INestApplication | null = null
  const factory = NestFactory as { create: (...given: unknown[]) => Promise<INestApplication> }
  const create = factory.create.bind(NestFactory)
  factory.create = async (...given) => {
    app = await create(...given)
    return app
  }
  const engine = await startTestEngine().finally(() => {
    factory.create = create
  })
  // the engine has started by this factory
  const balancers = (app as unknown as INestApplication).get(Balancers, { strict: false })
  // the hosts of these tests say nothing by themselves, however long a test takes
  await engine.http.put('/api/v1/settings/sessions.silenceMs', { value: 300_000 })
  const network = await engine.http.post('/api/v1/networks', { name: 'public', cidr: '192.0.2.0/24' })
  if (network.status !== 201) throw new Error(`no network: ${JSON.stringify(network.body)}`)
  const networkId: string = network.body.id
  const make = (wanted: Partial<NewBalancer> = {}) =>
    balancers.create(
      administrator,
      {
        networkId,
        name: `lb-${randomUUID()}`,
        description: '',
        adminStateUp: true,
        tags: [],
        build: (tree) => tree,
        ...wanted,
      },
      { face: 'native' },
    )
  return { ...engine, balancers, networkId, make }
}

/** A host that can be asked for balancers of these providers. */
export function balancingHello(host: string, overrides: Partial<Hello> = {}): TestHello {
  return helloOf(host, { capabilities: ['balancing:simulated'], ...overrides })
}

export const balancingAgent = (engine: TestEngine, host: string, overrides: Partial<Hello> = {}): Promise<WireAgent> =>
  WireAgent.open(engine.tcp, balancingHello(host, overrides))

export const intentIn = (command: CommandMessage) => (command.payload as BalancingApply).balancer
