import 'reflect-metadata'
import { StorageConnections } from '../../src/engine/storage/storage-connections.service.js'
import { cpuMicros } from '../bench-process.js'
import { answerQuestions } from '../questions.js'
import { openServices, operator, type ServicesOrder } from '../services.js'
import { listenToStatements, notifyCount, type Recording, record } from './statement-recorder.js'

export interface PutOrder {
  readonly hostIds: readonly string[]
  readonly concurrency: number
  readonly forMs: number
}

export interface PutRound {
  readonly count: number
  readonly elapsedMs: number
  readonly cpuMicros: number
  /** Statements that notified: many transactions share one. */
  readonly notifies: number
}

/** Only what `put` itself costs. */
let storage: StorageConnections
let last = 0

async function open(order: ServicesOrder): Promise<void> {
  listenToStatements()
  storage = (await openServices(order)).get(StorageConnections)
}

const put = (hostId: string, connectionId: string) =>
  storage.put(
    operator,
    hostId,
    connectionId,
    { uri: `local:///srv/${connectionId}` },
    { ifMatch: null, coalesce: false },
  )

function recordOne({ hostId, connectionId }: { hostId: string; connectionId: string }): Promise<Recording> {
  return record(connectionId, () => put(hostId, connectionId))
}

async function putFor({ hostIds, concurrency, forMs }: PutOrder): Promise<PutRound> {
  const [startMs, startNotifies, startCpu] = [performance.now(), notifyCount, cpuMicros(process.cpuUsage())]
  const first = last
  const one = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      const hostId = hostIds[Math.floor(Math.random() * hostIds.length)] ?? ''
      await put(hostId, `put-${process.pid}-${last++}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, one))
  return {
    count: last - first,
    elapsedMs: performance.now() - startMs,
    cpuMicros: cpuMicros(process.cpuUsage()) - startCpu,
    notifies: notifyCount - startNotifies,
  }
}

answerQuestions({ open, record: recordOne, put: putFor })
