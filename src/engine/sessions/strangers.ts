import type { Socket } from 'node:net'
import { Injectable } from '@nestjs/common'
import { Metrics } from '../platform/metrics.js'
import type { DirectCall, SessionServer } from './session-server.js'

/** What the controller has to say about connections, and the transport is to obey. */
export interface Reception {
  readonly direct: readonly (readonly [pattern: object, call: DirectCall])[]
  readonly perSecond: SessionServer['perSecond']
  /** Whether those who have come in are too many for others to begin. */
  readonly crowded: () => boolean
}

/** Between the controller and the transport, which is made before the container. */
@Injectable()
export class Strangers {
  private server: SessionServer | null = null
  private reception: Reception | null = null

  constructor(metrics: Metrics) {
    metrics.counter({
      name: 'keelson_tls_handshakes_total',
      help: 'Handshakes with hosts since the start, by whether an earlier session was resumed',
      labelNames: ['kind'],
      collect: (counter) => {
        counter.inc({ kind: 'full' }, this.server?.secured.full ?? 0)
        counter.inc({ kind: 'resumed' }, this.server?.secured.resumed ?? 0)
      },
    })
    metrics.gauge({
      name: 'keelson_tls_handshakes_waiting',
      help: 'Connections of hosts that wait for their handshake to begin',
      collect: (gauge) => gauge.set(this.server?.waiting ?? 0),
    })
  }

  watchedBy(server: SessionServer): void {
    this.server = server
    this.obey()
  }

  receivedBy(reception: Reception): void {
    this.reception = reception
    this.obey()
  }

  admitted(socket: Socket): void {
    this.server?.admitted(socket)
  }

  /** Those inside are fewer than before. */
  proceed(): void {
    this.server?.proceed()
  }

  private obey(): void {
    if (!this.server || !this.reception) return
    for (const [pattern, call] of this.reception.direct) this.server.answerDirectly(pattern, call)
    this.server.perSecond = this.reception.perSecond
    this.server.holdBackWhile(this.reception.crowded)
  }
}
