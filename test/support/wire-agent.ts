import { randomUUID } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { ClientTCP } from '@nestjs/microservices'
import { firstValueFrom, timeout } from 'rxjs'
import { credentialsOf, type HostIdentity } from '../../src/agent/identity.js'
import { commandKinds } from '../../src/wire/commands.js'
import {
  type CommandMessage,
  type GoodbyeMessage,
  type Hello,
  type InventoryItem,
  type Observation,
  type Permit,
  patterns,
  type Refusal,
  type Report,
  type ReportsAcknowledged,
  type StreamMessage,
  type Welcome,
} from '../../src/wire/session.js'
import { storageSchemes } from '../../src/wire/storage/uri.js'
import type { AgentPort } from './enrolment.js'
import { eventually } from './eventually.js'

const CALL_MS = 5_000

/** What a host says, and the name that its certificate is asked for under. */
export interface TestHello {
  readonly host: string
  readonly said: Hello
}

export function helloOf(host: string, overrides: Partial<Hello> = {}): TestHello {
  return { host, said: { ...saidBy(host), ...overrides } }
}

function saidBy(name: string): Hello {
  return {
    agentId: randomUUID(),
    bootId: 'boot-1',
    agentVersion: '0.1.0',
    protocol: 1,
    kinds: Object.keys(commandKinds),
    capabilities: storageSchemes.map((scheme) => `storage:${scheme}`),
    facts: {
      hostname: name,
      os: 'Debian GNU/Linux 12',
      kernel: '6.1.0',
      arch: 'x64',
      cpus: 2,
      cpuModel: 'test',
      memoryBytes: 1024 ** 3,
      tools: [{ name: 'mount', version: null }],
    },
    incarnation: null,
    epoch: 0,
    seq: 0,
  }
}

/** An agent that does nothing by itself: each test says what it hears and answers, message by message. */
export class WireAgent {
  readonly commands: CommandMessage[] = []
  readonly messages: StreamMessage[] = []
  welcome: Welcome | null = null
  refusal: Refusal | null = null
  streamEnded = false
  /** What a later connection may resume. */
  ticket: Buffer | undefined
  private taken = 0
  private readonly client: ClientTCP

  private constructor(
    { host, port }: Omit<AgentPort, 'identityOf'>,
    readonly identity: HostIdentity,
    readonly hello: TestHello,
    session?: Buffer,
  ) {
    this.client = new ClientTCP({ host, port, tlsOptions: { ...credentialsOf(identity), session } })
    Object.assign(this.client, { logger: { error: () => undefined } })
  }

  /** Dials, says hello, and waits for the welcome or the refusal. */
  static async dial(tcp: AgentPort, hello: TestHello): Promise<WireAgent> {
    return WireAgent.dialAs(await tcp.identityOf(hello.host), tcp, hello)
  }

  /** As `dial`, with whatever certificate; `session` is a TLS session to resume. */
  static async dialAs(
    identity: HostIdentity,
    tcp: Omit<AgentPort, 'identityOf'>,
    hello: TestHello,
    session?: Buffer,
  ): Promise<WireAgent> {
    const agent = new WireAgent(tcp, identity, hello, session)
    await agent.client.connect()
    agent.socket.on('session', (ticket) => {
      agent.ticket = ticket
    })
    agent.client.send<StreamMessage | Refusal>(patterns.open, hello.said).subscribe({
      next: (message) => agent.receive(message),
      error: () => {
        agent.streamEnded = true
      },
      complete: () => {
        agent.streamEnded = true
      },
    })
    await eventually(() => {
      if (agent.streamEnded && !agent.welcome && !agent.refusal) return
      if (!agent.welcome && !agent.refusal) throw new Error('the engine has not answered the hello')
    })
    return agent
  }

  /** As `dial`, and with an inventory: from then on commands come. */
  static async open(tcp: AgentPort, hello: TestHello, items: readonly InventoryItem[] = []): Promise<WireAgent> {
    const agent = await WireAgent.dial(tcp, hello)
    if (agent.streamEnded && !agent.refusal) throw new Error('the connection was closed')
    if (agent.refusal) throw new Error(`refused: ${agent.refusal.code} ${agent.refusal.message}`)
    await agent.inventory(items)
    return agent
  }

  get socket(): TLSSocket {
    return this.client.unwrap<TLSSocket>()
  }

  get epoch(): number {
    return this.welcome?.epoch ?? 0
  }

  get hostId(): string {
    return this.welcome?.hostId ?? ''
  }

  get goodbye(): GoodbyeMessage | undefined {
    return this.messages.find((m): m is GoodbyeMessage => m.type === 'goodbye')
  }

  /** The next hello of the same agent: it knows what it has seen. */
  again(overrides: Partial<Hello> = {}): TestHello {
    const { host, said } = this.hello
    const seq = Math.max(said.seq, ...this.commands.map((c) => c.seq))
    const incarnation = this.welcome?.incarnation ?? null
    return { host, said: { ...said, incarnation, epoch: this.epoch, seq, ...overrides } }
  }

  /** The n-th command (from 0) once it is there; without a number the first that was not asked for yet. */
  async command(index = this.taken): Promise<CommandMessage> {
    this.taken = Math.max(this.taken, index + 1)
    return eventually(() => {
      const command = this.commands[index]
      if (!command) throw new Error(`${this.commands.length} commands came, not ${index + 1}`)
      return command
    })
  }

  call<T>(pattern: object, payload: object): Promise<T> {
    return firstValueFrom(this.client.send<T>(pattern, payload).pipe(timeout(CALL_MS)))
  }

  inventory(items: readonly InventoryItem[], last = true): Promise<object> {
    return this.call(patterns.inventory, { epoch: this.epoch, items, last })
  }

  beat(): Promise<object> {
    return this.call(patterns.heartbeat, { epoch: this.epoch })
  }

  permit(command: CommandMessage): Promise<Permit | Refusal> {
    return this.call(patterns.permit, { epoch: this.epoch, commandId: command.id })
  }

  report(
    command: CommandMessage,
    report: Partial<Report> = {},
    epoch = this.epoch,
  ): Promise<ReportsAcknowledged | Refusal> {
    const whole = { commandId: command.id, seq: command.seq, state: 'succeeded', result: resultOf(command), ...report }
    return this.call(patterns.report, { epoch, reports: [whole] })
  }

  observe(observations: readonly Observation[]): Promise<object> {
    return this.call(patterns.observe, { epoch: this.epoch, observations })
  }

  close(reason: 'stopping' | 'leaving' = 'stopping'): Promise<object> {
    return this.call(patterns.close, { epoch: this.epoch, reason })
  }

  /** The connection breaks without a goodbye. */
  vanish(): void {
    try {
      this.client.unwrap<{ destroy(): void }>().destroy()
    } catch {
      // it is gone already
    }
    this.client.close()
  }

  private receive(message: StreamMessage | Refusal): void {
    if ('refused' in message) {
      this.refusal = message
      return
    }
    this.messages.push(message)
    if (message.type === 'welcome') this.welcome = message
    else if (message.type === 'command') this.commands.push(message)
  }
}

function resultOf(command: CommandMessage): object {
  if (command.kind === 'storage.unmanage') return { outcome: 'released' }
  if (command.kind === 'balancing.remove') return { outcome: 'removed' }
  if (command.kind === 'balancing.apply') return {}
  return { target: (command.payload as { uri?: string }).uri ?? 'local:///x' }
}
