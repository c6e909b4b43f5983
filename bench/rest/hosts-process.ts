import 'reflect-metadata'
import { Agent } from 'node:http'
import { enrol } from '../../src/agent/enrol.js'
import type { Logger } from '../../src/agent/logger.js'
import { SessionClient } from '../../src/agent/session-client.js'
import { commandKinds } from '../../src/wire/commands.js'
import type { CommandMessage } from '../../src/wire/session.js'
import { benchHello } from '../hello.js'
import { answerQuestions } from '../questions.js'
import { put } from './put.js'

export interface LatencyOrder {
  readonly httpPort: number
  readonly token: string
  readonly hostId: string
  readonly count: number
  readonly prefix: string
}

export interface Latency {
  /** From the first byte of the request to the agent's session client handing the command on. */
  readonly toAgentMs: number
  /** To the last byte of the reply. */
  readonly toReplyMs: number
}

const quiet = () => {}
const logger: Logger = { debug: quiet, info: quiet, warn: quiet, error: console.error }
let accepted: (connectionId: string) => void = quiet
let client: SessionClient | null = null

/** One host with the agent's own session client, which carries nothing out: it reports success at once. */
async function connect(detail: { tcpPort: number; joinToken: string }): Promise<string> {
  let hostId = ''
  const identity = await enrol('latency', detail.joinToken)
  client = new SessionClient({
    identity: () => identity,
    addresses: [{ host: '127.0.0.1', port: detail.tcpPort }],
    logger,
    hello: () => benchHello(1, Object.keys(commandKinds)),
    onWelcome: (welcome) => {
      hostId = welcome.hostId
    },
    onCommand: (command) => take(command),
    onUnreadable: (_command, error) => console.error(error),
    onFloor: quiet,
    inventory: () => [],
  })
  client.start()
  while (client.status.state !== 'connected') await new Promise((resolve) => setTimeout(resolve, 10))
  return hostId
}

function take(command: CommandMessage): void {
  accepted(command.subject.slice(command.subject.indexOf('/') + 1))
  const { id: commandId, seq } = command
  const report = { commandId, seq, state: 'succeeded', result: { target: command.subject } } as const
  client?.current.session?.report([report]).catch(console.error)
}

/** One after another, sender and host in one process: both ends of a latency are read from one clock. */
async function latencies({ httpPort, token, hostId, count, prefix }: LatencyOrder): Promise<Latency[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const measured: Latency[] = []
  for (let i = 0; i < count; i++) {
    const connectionId = `${prefix}-${i}`
    const startMs = performance.now()
    const arrival = new Promise<number>((resolve) => {
      accepted = (id) => id === connectionId && resolve(performance.now())
    })
    const status = await put({ agent, port: httpPort, token, hostId, connectionId })
    if (status !== 202) throw new Error(`PUT answered ${status}`)
    const toReplyMs = performance.now() - startMs
    measured.push({ toAgentMs: (await arrival) - startMs, toReplyMs })
  }
  agent.destroy()
  return measured
}

answerQuestions({ connect, latencies })
