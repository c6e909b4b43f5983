import 'reflect-metadata'
import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { ServerTCP, type TcpContext } from '@nestjs/microservices'
import { from, NEVER, Observable, of, Subject } from 'rxjs'
import { hostIdIn } from '../../../src/wire/enrolment.js'
import {
  type Close,
  type CommandMessage,
  Hello,
  type InventoryItem,
  InventoryPage,
  MAX_FRAME_CHARS,
  type Observation,
  Observations,
  type Permit,
  patterns,
  type Refusal,
  type Report,
  Reports,
  type StreamMessage,
  type Welcome,
} from '../../../src/wire/session.js'
import { parseWire } from '../../../src/wire/validate.js'
import { type TestAuthority, testAuthority } from '../../support/authority.js'

/** One session as the engine sees it. */
export interface EngineSession {
  /** By the certificate of the connection. */
  readonly hostId: string | null
  readonly epoch: number
  readonly hello: Hello
  readonly stream: Subject<StreamMessage | Refusal>
  readonly socket: Socket
  inventory: InventoryItem[]
  pages: number
  ready: boolean
  closed: Close['reason'] | null
}

/**
 * An engine of one process and no database: speaks the wire contract over Nest's real TCP server with TLS, as a test tells it
 * to. It lets in whoever has a certificate of the test's authority.
 */
export class FakeEngine {
  readonly sessions: EngineSession[] = []
  readonly hellos: Hello[] = []
  /** Requests for another certificate. */
  readonly renewals: string[] = []
  /** How long the certificates are good for that it grants. */
  grantsForMs = 3_600_000
  readonly reports: Report[] = []
  readonly observations: Observation[] = []
  heartbeats = 0
  /** Answers nothing any more, and keeps its connections. */
  frozen = false
  /** Taken over the welcome that a hello gets. */
  welcome: Partial<Welcome> = {}
  refusal: Refusal | null = null
  permit: (commandId: string) => Permit = () => ({ granted: true })
  /** The certificate that a request is answered with. */
  grant: (csr: string, hostId: string) => Promise<string>
  private epoch = 0
  private readonly server: ServerTCP

  private constructor(
    readonly port: number,
    private readonly authority: TestAuthority,
    tls: Partial<TlsOptions>,
  ) {
    this.grant = (csr, hostId) => authority.certify(csr, hostId, this.grantsForMs)
    const options = { host: '127.0.0.1', port, maxBufferSize: MAX_FRAME_CHARS, incompleteMessageTimeout: 5000 }
    this.server = new ServerTCP({ ...options, tlsOptions: { ...authority.serverTls, ...tls } })
    // a peer that breaks off is what tests are about
    Object.assign(this.server, { logger: { error: () => undefined } })
    this.answer(patterns.open, (hello, context) => this.open(parseWire(Hello, hello), context))
    this.answer(patterns.heartbeat, () => {
      this.heartbeats += 1
      return of({})
    })
    this.answer(patterns.inventory, (page) => of(this.page(parseWire(InventoryPage, page))))
    this.answer(patterns.permit, (request) => of(this.permit((request as { commandId: string }).commandId)))
    this.answer(patterns.report, (batch) => {
      const { reports } = parseWire(Reports, batch)
      this.reports.push(...reports)
      return of({ acknowledged: reports.map(({ commandId }) => commandId) })
    })
    this.answer(patterns.observe, (batch) => {
      this.observations.push(...parseWire(Observations, batch).observations)
      return of({})
    })
    this.answer(patterns.renew, (request, context) => from(this.renew((request as { csr: string }).csr, context)))
    this.answer(patterns.close, (farewell) => {
      const { epoch, reason } = farewell as Close
      this.sessionOf(epoch).closed = reason
      return of({})
    })
  }

  /** @param epoch the highest epoch given out before. @param tls instead of what an engine of the authority shows */
  static async start({
    port = 0,
    epoch = 0,
    tls = {},
  }: {
    port?: number
    epoch?: number
    tls?: Partial<TlsOptions>
  } = {}): Promise<FakeEngine> {
    const engine = new FakeEngine(port === 0 ? await freePort() : port, await testAuthority(), tls)
    engine.epoch = epoch
    await new Promise<void>((resolve, reject) =>
      engine.server.listen((error?: unknown) => (error instanceof Error ? reject(error) : resolve())),
    )
    return engine
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: this.port }
  }

  /** The newest session; a test asks for it when there must be one. */
  get session(): EngineSession {
    const session = this.sessions.at(-1)
    if (session === undefined) throw new Error('no agent has said hello')
    return session
  }

  send(message: StreamMessage): void {
    this.session.stream.next(message)
  }

  command(command: CommandMessage): void {
    this.send({ ...command, epoch: this.session.epoch })
  }

  /** The sockets break; the engine goes on listening. */
  dropConnections(): void {
    for (const { socket } of this.sessions) socket.destroy()
  }

  async stop(): Promise<void> {
    const server = this.server.unwrap<Server>()
    const closed = once(server, 'close')
    this.server.close()
    await closed
  }

  private open(hello: Hello, context: TcpContext): Observable<StreamMessage | Refusal> {
    this.hellos.push(hello)
    if (this.refusal !== null) return of(this.refusal)
    this.epoch = Math.max(this.epoch, hello.epoch) + 1
    const stream = new Subject<StreamMessage | Refusal>()
    const socket = context.getSocketRef().netSocket
    socket.once('close', () => stream.complete())
    const hostId = hostIdOf(context)
    const session = {
      hostId,
      epoch: this.epoch,
      hello,
      stream,
      socket,
      inventory: [],
      pages: 0,
      ready: false,
      closed: null,
    }
    this.sessions.push(session)
    const welcome: Welcome = {
      type: 'welcome',
      hostId: '00000000-0000-4000-8000-000000000001',
      epoch: this.epoch,
      incarnation: 'incarnation-a',
      protocol: 1,
      heartbeatMs: 50,
      silenceMs: 400,
      addresses: [],
      floor: 0,
      settings: {},
      ...this.welcome,
    }
    return new Observable((subscriber) => {
      subscriber.next(welcome)
      return stream.subscribe(subscriber)
    })
  }

  private async renew(csr: string, context: TcpContext): Promise<object> {
    this.renewals.push(csr)
    const certificate = await this.grant(csr, hostIdOf(context) ?? '')
    return { certificate, authorities: [this.authority.certificate] }
  }

  private page({ epoch, items, last }: InventoryPage): object {
    const session = this.sessionOf(epoch)
    session.inventory.push(...items)
    session.pages += 1
    session.ready = last
    return {}
  }

  private sessionOf(epoch: number): EngineSession {
    const session = this.sessions.find((one) => one.epoch === epoch)
    if (session === undefined) throw new Error(`no session has epoch ${epoch}`)
    return session
  }

  private answer(pattern: object, callback: (data: unknown, context: TcpContext) => Observable<unknown>): void {
    this.server.addHandler(pattern, async (data: unknown, context: TcpContext) =>
      this.frozen ? NEVER : callback(data, context),
    )
  }
}

function hostIdOf(context: TcpContext): string | null {
  const socket = context.getSocketRef().netSocket as TLSSocket
  return hostIdIn(socket.getPeerX509Certificate()?.subjectAltName)
}

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
