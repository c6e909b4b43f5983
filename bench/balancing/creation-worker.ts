import 'reflect-metadata'
import { Balancers } from '../../src/engine/balancing/balancers.service.js'
import type { NewBalancer } from '../../src/engine/balancing/new-balancer.js'
import { listenToStatements, type Recording, record } from '../commands/statement-recorder.js'
import { answerQuestions } from '../questions.js'
import { openServices, operator, type ServicesOrder } from '../services.js'

export interface CreationOrder {
  readonly networkId: string
  readonly concurrency: number
  readonly forMs: number
}

export interface CreationRound {
  readonly count: number
  readonly elapsedMs: number
}

let balancers: Balancers
let last = 0

async function open(order: ServicesOrder): Promise<void> {
  listenToStatements()
  balancers = (await openServices(order)).get(Balancers)
}

const create = (networkId: string, name: string) => {
  const wanted: NewBalancer = {
    networkId,
    provider: 'simulated',
    name,
    description: '',
    adminStateUp: true,
    tags: [],
    build: (tree) => tree,
  }
  return balancers.create(operator, wanted, { face: 'native' })
}

const recordOne = ({ networkId, name }: { networkId: string; name: string }): Promise<Recording> =>
  record(name, () => create(networkId, name))

async function createFor({ networkId, concurrency, forMs }: CreationOrder): Promise<CreationRound> {
  const startMs = performance.now()
  const first = last
  const one = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) await create(networkId, `made-${process.pid}-${last++}`)
  }
  await Promise.all(Array.from({ length: concurrency }, one))
  return { count: last - first, elapsedMs: performance.now() - startMs }
}

answerQuestions({ open, record: recordOne, create: createFor })
