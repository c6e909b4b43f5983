import { Injectable } from '@nestjs/common'
import type { Hello, InventoryItem, Observation, Refusal } from '../../wire/session.js'
import type { Peer } from './peer.js'

/** What a host is let in with. */
export interface Admission {
  readonly hostId: string
  readonly hostName: string
  readonly epoch: number
  readonly incarnation: string
  readonly floor: number
}

/** What a session has seen of its host: the database knows as much, or is not what it was. */
export interface Known {
  readonly hostId: string
  readonly epoch: number
  /** Highest command number. */
  readonly seq: number
  /** Of the certificate that it was opened with. */
  readonly serial: string
}

/** Why a session is none any more: `fenced` where the database has a newer one, or was put back to an earlier state. */
export interface Strayed {
  readonly hostId: string
  readonly why: 'removed' | 'revoked' | 'expired' | 'fenced'
}

/**
 * What sessions need of the hosts' module, which stands to their right: it registers itself here.
 * `inventory` is called once a session, before any command is sent.
 */
export interface HostGate {
  /** What can be refused without a look at the database; null: it may wait to be let in. */
  greet(hello: Hello): Refusal | null
  /** @param peer whom the connection's certificate names: the database is asked about it, also when TLS was resumed */
  admit(peer: Peer, hello: Hello): Promise<Admission | Refusal>
  inventory(hostId: string, epoch: number, items: readonly InventoryItem[]): Promise<void>
  observe(hostId: string, epoch: number, observations: readonly Observation[]): Promise<void>
  /** Those of them that the database does not know, or whose certificates are good no more. */
  strayed(sessions: readonly Known[]): Promise<readonly Strayed[]>
  lost(hostId: string, epoch: number, reason: string): Promise<void>
  closed(hostId: string, epoch: number, reason: string): Promise<void>
}

@Injectable()
export class Gate {
  private registered: HostGate | null = null

  register(gate: HostGate): void {
    this.registered = gate
  }

  get hosts(): HostGate {
    if (!this.registered) throw new Error('no module admits hosts')
    return this.registered
  }
}

export const refuse = (code: string, message: string): Refusal => ({ refused: true, code, message })
export const isRefusal = (answer: object): answer is Refusal => 'refused' in answer
