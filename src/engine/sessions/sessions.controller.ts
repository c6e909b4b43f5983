import type { Socket } from 'node:net'
import { Controller, UseFilters } from '@nestjs/common'
import { Ctx, MessagePattern, Payload, TcpContext } from '@nestjs/microservices'
import { Observable } from 'rxjs'
import { type CertificateGrant, CertificateRequest } from '../../wire/enrolment.js'
import {
  Close,
  Hello,
  InventoryPage,
  isHeartbeat,
  Observations,
  type Permit,
  PermitRequest,
  PROTOCOL,
  patterns,
  type Refusal,
  Reports,
  type ReportsAcknowledged,
  type StreamMessage,
  type Welcome,
} from '../../wire/session.js'
import { parseWire } from '../../wire/validate.js'
import { Commands } from '../commands/commands.service.js'
import { Permits } from '../commands/permits.js'
import { ReportQueue } from '../commands/report-queue.js'
import { HostCertificates } from '../identity/host-certificates.js'
import { Addresses } from '../platform/addresses.js'
import { Settings } from '../platform/settings.js'
import { Turnstile } from '../platform/turnstile.js'
import { Fenced } from './fenced.js'
import { Gate, isRefusal, refuse } from './gate.js'
import { peerOf } from './peer.js'
import { RefusalFilter, refusalOf } from './refusal.filter.js'
import { Session } from './session.js'
import { SessionRegistry } from './session-registry.js'
import { socketOf } from './session-server.js'
import { Strangers } from './strangers.js'

const OK = { ok: true } as const
/** Well below the database's pool: commands, leases and schedules go on while a fleet comes back. */
const ADMISSIONS_AT_ONCE = 6
/** Long enough for the refusal to be read. */
const TURNED_AWAY_MS = 2_000
const COMPARISONS_AT_ONCE = 4
const MAX_WAITING = 20_000
/** As many in line behind their handshakes, and nobody else begins one: who waits there too long has cost it for nothing. */
const CROWD = 32

/**
 * What hosts call. Who a caller is comes from the certificate of its connection, never from what it says; every
 * payload is validated by its wire class, but for heartbeats, which a guard by hand lets through. What they say all the
 * time, heartbeats, reports and observations, goes past Nest's pipeline.
 */
@Controller()
@UseFilters(RefusalFilter)
export class SessionsController {
  private readonly sessions = new WeakMap<Socket, Session>()
  /** Connections that have said hello once: a second hello is a fault, also while the first is being answered. */
  private readonly greeted = new WeakSet<Socket>()
  private readonly turnstile = new Turnstile(ADMISSIONS_AT_ONCE, MAX_WAITING)
  private readonly comparisons = new Turnstile(COMPARISONS_AT_ONCE, MAX_WAITING)

  constructor(
    private readonly registry: SessionRegistry,
    private readonly gate: Gate,
    private readonly reports: ReportQueue,
    private readonly permits: Permits,
    private readonly commands: Commands,
    private readonly settings: Settings,
    private readonly addresses: Addresses,
    private readonly strangers: Strangers,
    private readonly certificates: HostCertificates,
  ) {
    strangers.receivedBy({
      direct: [
        [patterns.heartbeat, (socket, payload) => this.heartbeat(payload, socket)],
        [patterns.report, (socket, payload) => this.report(payload, socket).catch(refusalOf)],
        [patterns.observe, (socket, payload) => this.observe(payload, socket).catch(refusalOf)],
      ],
      perSecond: () => this.settings.get('sessions.messagesPerSecond'),
      crowded: () => this.turnstile.waiting + this.comparisons.waiting >= CROWD,
    })
  }

  @MessagePattern(patterns.open)
  async open(@Payload() payload: unknown, @Ctx() context: TcpContext): Promise<Observable<StreamMessage> | Refusal> {
    const socket = socketOf(context)
    if (this.greeted.has(socket)) return refuse('bad-message', 'this connection has said hello already')
    this.greeted.add(socket)
    if (!this.registry.accepting) return refuse('draining', 'this replica is stopping: dial another address')
    const peer = peerOf(socket)
    if (!peer) return refuse('certificate-foreign', 'the certificate of this connection is no host’s')
    const hello = parseWire(Hello, payload)
    const refusal = this.gate.hosts.greet(hello)
    if (refusal) return refusal
    if (this.turnstile.full) return refuse('unavailable', 'too many hosts want in at once: try again later')
    // it has proven who it is: only strangers are few and short-lived
    this.strangers.admitted(socket)
    const rechecks = this.registry.rechecks
    const admission = await this.turnstile.pass(
      () => this.gate.hosts.admit(peer, hello),
      () => socket.destroyed,
    )
    this.strangers.proceed()
    if (!admission || isRefusal(admission)) return this.turnedAway(socket, admission)
    const session = new Session(admission, peer, hello, socket, {
      window: this.settings.get('commands.windowPerHost'),
      heartbeatMs: this.settings.get('sessions.heartbeatMs'),
      silenceMs: this.settings.get('sessions.silenceMs'),
    })
    this.sessions.set(socket, session)
    socket.on('close', () => this.registry.remove(session, 'its connection broke'))
    this.registry.add(session)
    // what was revoked since it was let in was looked for among the sessions before this one was there
    if (this.registry.rechecks !== rechecks) this.registry.lookAt(session)
    if (socket.destroyed) this.registry.remove(session, 'its connection broke')
    return streamOf(this.welcome(session), session)
  }

  /** Called by the transport itself, past Nest's pipeline. */
  private heartbeat(payload: unknown, socket: Socket): typeof OK | Refusal {
    const session = this.sessions.get(socket)
    if (!isHeartbeat(payload)) return refuse('bad-message', 'a heartbeat is { epoch }')
    if (!session?.open || session.epoch !== payload.epoch) return refuse('fenced', 'no such session')
    session.heard()
    return OK
  }

  @MessagePattern(patterns.inventory)
  async inventory(@Payload() payload: unknown, @Ctx() context: TcpContext): Promise<typeof OK> {
    const { epoch, items, last } = parseWire(InventoryPage, payload)
    const session = this.require(socketOf(context), epoch)
    const whole = session.collect(items, last)
    if (whole) {
      await this.comparisons.pass(
        () => this.gate.hosts.inventory(session.hostId, epoch, whole),
        () => !session.open,
      )
      this.strangers.proceed()
      this.registry.ready(session)
    }
    return OK
  }

  @MessagePattern(patterns.permit)
  async permit(@Payload() payload: unknown, @Ctx() context: TcpContext): Promise<Permit> {
    const { epoch, commandId } = parseWire(PermitRequest, payload)
    const session = this.require(socketOf(context), epoch)
    const answer = await this.permits.ask(session.hostId, epoch, commandId)
    if (answer === 'fenced') throw new Fenced()
    // the agent drops it without a report: its place in the window is free
    if (answer === 'ended') this.registry.ended(session, [commandId])
    return answer === 'granted' ? { granted: true } : { granted: false, reason: 'ended' }
  }

  /** Called by the transport itself, as `heartbeat`. */
  private async report(payload: unknown, socket: Socket): Promise<ReportsAcknowledged> {
    const { epoch, reports } = parseWire(Reports, payload)
    const session = this.require(socket, epoch)
    const acknowledged = await this.reports.submit(session.hostId, epoch, reports)
    if (this.registry.ended(session, acknowledged)) session.tellFloor(await this.commands.floor(session.hostId))
    return { acknowledged }
  }

  /** Called by the transport itself, as `heartbeat`. */
  private async observe(payload: unknown, socket: Socket): Promise<typeof OK> {
    const { epoch, observations } = parseWire(Observations, payload)
    await this.gate.hosts.observe(this.require(socket, epoch).hostId, epoch, observations)
    return OK
  }

  @MessagePattern(patterns.renew)
  async renew(@Payload() payload: unknown, @Ctx() context: TcpContext): Promise<CertificateGrant> {
    const { epoch, csr } = parseWire(CertificateRequest, payload)
    return this.certificates.renew(this.require(socketOf(context), epoch), csr)
  }

  @MessagePattern(patterns.close)
  async close(@Payload() payload: unknown, @Ctx() context: TcpContext): Promise<typeof OK> {
    const { epoch, reason } = parseWire(Close, payload)
    const session = this.require(socketOf(context), epoch)
    await this.gate.hosts.closed(session.hostId, epoch, reason)
    // the reply goes out before the connection ends
    setImmediate(() => this.registry.forget(session))
    return OK
  }

  private require(socket: Socket, epoch: number): Session {
    const session = this.sessions.get(socket)
    if (!session?.open || session.epoch !== epoch) throw new Fenced()
    session.heard()
    return session
  }

  /** No stranger any more and no session either: nothing else would end the connection. */
  private turnedAway(socket: Socket, refusal: Refusal | null): Refusal {
    setTimeout(() => socket.destroy(), TURNED_AWAY_MS).unref()
    return refusal ?? refuse('unavailable', 'the connection broke while it waited')
  }

  private welcome(session: Session): Welcome {
    return {
      type: 'welcome',
      hostId: session.hostId,
      epoch: session.epoch,
      incarnation: session.admission.incarnation,
      protocol: Math.min(session.hello.protocol, PROTOCOL.current),
      heartbeatMs: session.limits.heartbeatMs,
      silenceMs: session.limits.silenceMs,
      addresses: this.addresses.all(),
      floor: session.admission.floor,
      settings: this.settings.forAgents(),
    }
  }
}

/** The stream ends with the session, which ends with its socket: Nest alone does not see to that. */
function streamOf(welcome: Welcome, session: Session): Observable<StreamMessage> {
  return new Observable((subscriber) => {
    subscriber.next(welcome)
    return session.stream.subscribe(subscriber)
  })
}
