import type { Socket } from 'node:net'
import { JsonSocket } from '@nestjs/microservices'
import { MAX_FRAME_CHARS } from '../../wire/session.js'

/** Bytes that may wait for a slow peer before it is dropped. */
const MAX_SEND_BYTES = 4 * 1024 * 1024
/** A frame that was begun must be whole in this time. */
const INCOMPLETE_MS = 5_000
const KEEP_ALIVE_MS = 15_000

/** Nest's frames with limits fit for strangers: a peer that breaks them is cut off at once, not asked to end. */
export class FrameSocket extends JsonSocket {
  constructor(socket: Socket) {
    super(socket, {
      maxBufferSize: MAX_FRAME_CHARS,
      incompleteMessageTimeout: INCOMPLETE_MS,
      maxSendBufferSize: MAX_SEND_BYTES,
    })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
  }

  protected override handleDataError(error: Error): void {
    super.handleDataError(error, { destroy: true })
  }
}
