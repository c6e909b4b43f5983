import 'reflect-metadata'
import { randomUUID } from 'node:crypto'
import { enrol } from '../../src/agent/enrol.js'
import { credentialsOf, type HostIdentity } from '../../src/agent/identity.js'
import { ENGINE_NAME } from '../../src/wire/enrolment.js'
import { patterns, type Welcome } from '../../src/wire/session.js'
import { benchHello } from '../hello.js'
import { answerQuestions } from '../questions.js'
import { FrameConnection, frame } from './frame-connection.js'

export interface RoundTripOrder {
  readonly port: number
  readonly connections: number
  /** To the engine, where a session is opened on each connection first; or to the echo server, which takes frames as they come. */
  readonly to: { readonly joinToken: string } | { readonly authority: string }
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface RoundTrips {
  readonly count: number
  readonly elapsedMs: number
  /** With those of the warm-up. */
  readonly total: number
}

const OPEN_MS = 60_000

/** Each connection has one call on its way, and sends the next when the answer is there. */
async function roundTrips(order: RoundTripOrder): Promise<RoundTrips> {
  const dialled = Array.from({ length: order.connections }, (_, number) => dial(order, number))
  const connections = await Promise.all(dialled)
  const epochs = 'joinToken' in order.to ? await Promise.all(connections.map(openSession)) : []
  let count = 0
  for (const [i, connection] of connections.entries()) {
    const heartbeat = frame({
      pattern: patterns.heartbeat,
      data: { epoch: epochs[i] ?? 1 },
      id: 'aaaaaaaaaaaaaaaaaaaaa',
    })
    connection.onFrame = () => {
      count++
      connection.write(heartbeat)
    }
    connection.write(heartbeat)
  }
  await elapse(order.warmUpMs)
  const [startCount, startMs] = [count, performance.now()]
  await elapse(order.measureMs)
  const result = { count: count - startCount, elapsedMs: performance.now() - startMs, total: count }
  for (const { socket } of connections) socket.destroy()
  return result
}

const identities: Promise<HostIdentity>[] = []

async function dial({ port, to }: RoundTripOrder, number: number): Promise<FrameConnection> {
  if ('authority' in to)
    return FrameConnection.dial(port, { ca: [to.authority], servername: ENGINE_NAME, minVersion: 'TLSv1.3' })
  identities[number] ??= enrol(`rpc-${number}`, to.joinToken)
  return FrameConnection.dial(port, credentialsOf(await identities[number]))
}

/** Hello, welcome, an empty inventory. @returns the epoch */
async function openSession(connection: FrameConnection, number: number): Promise<number> {
  const welcome = (await call(connection, patterns.open, benchHello(number))) as Welcome
  if (welcome.type !== 'welcome') throw new Error(`no welcome: ${JSON.stringify(welcome)}`)
  await call(connection, patterns.inventory, { epoch: welcome.epoch, items: [], last: true })
  return welcome.epoch
}

function call(connection: FrameConnection, pattern: object, data: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${JSON.stringify(pattern)} was not answered`)), OPEN_MS)
    connection.onFrame = (content) => {
      clearTimeout(timer)
      const { response, err } = JSON.parse(content.toString()) as { response: unknown; err?: unknown }
      if (err) reject(new Error(JSON.stringify(err)))
      else resolve(response)
    }
    connection.write(frame({ pattern, data, id: randomUUID() }))
  })
}

const elapse = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

answerQuestions({ roundTrips, cpu: () => process.cpuUsage() })
