import type { Socket } from 'node:net'
import { Injectable } from '@nestjs/common'
import type { SessionServer } from './session-server.js'

/** Lets the controller tell the transport that a connection has a session; the transport is made before the container. */
@Injectable()
export class Strangers {
  private server: SessionServer | null = null
  private answer: SessionServer['heartbeat'] | null = null
  private perSecond: SessionServer['perSecond'] | null = null

  watchedBy(server: SessionServer): void {
    this.server = server
    if (this.answer) server.heartbeat = this.answer
    if (this.perSecond) server.perSecond = this.perSecond
  }

  beats(answer: SessionServer['heartbeat']): void {
    this.answer = answer
    if (this.server) this.server.heartbeat = answer
  }

  limitedTo(perSecond: SessionServer['perSecond']): void {
    this.perSecond = perSecond
    if (this.server) this.server.perSecond = perSecond
  }

  admitted(socket: Socket): void {
    this.server?.admitted(socket)
  }
}
