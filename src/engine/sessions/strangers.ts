import type { Socket } from 'node:net'
import { Injectable } from '@nestjs/common'
import type { SessionServer } from './session-server.js'

/** Lets the controller tell the transport that a connection has a session; the transport is made before the container. */
@Injectable()
export class Strangers {
  private server: SessionServer | null = null
  private answer: SessionServer['heartbeat'] | null = null

  watchedBy(server: SessionServer): void {
    this.server = server
    if (this.answer) server.heartbeat = this.answer
  }

  beats(answer: SessionServer['heartbeat']): void {
    this.answer = answer
    if (this.server) this.server.heartbeat = answer
  }

  admitted(socket: Socket): void {
    this.server?.admitted(socket)
  }
}
