import type { Socket } from 'node:net'
import { JsonSocket } from '@nestjs/microservices'
import { MAX_FRAME_CHARS } from '../../wire/session.js'

/** Bytes that may wait for a slow peer before it is dropped. */
const MAX_SEND_BYTES = 4 * 1024 * 1024
/** Between two reads of a frame that was begun. */
const PAUSE_MS = 5_000
/** A frame that was begun is whole in this time, or in twice that: the largest, over a poor line. */
const WHOLE_MS = 15_000
const KEEP_ALIVE_MS = 15_000

/** What Nest's socket keeps to itself: what has come of a frame that is not whole. */
interface Begun {
  readonly buffer: string
  readonly contentLength: number | null
}

/** Nest's frames with limits fit for strangers: a peer that breaks them is cut off at once, not asked to end. */
export class FrameSocket extends JsonSocket {
  private frames = 0
  private timer: NodeJS.Timeout | null = null

  constructor(
    socket: Socket,
    private readonly wholeMs = WHOLE_MS,
  ) {
    super(socket, {
      maxBufferSize: MAX_FRAME_CHARS,
      incompleteMessageTimeout: PAUSE_MS,
      maxSendBufferSize: MAX_SEND_BYTES,
    })
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.once('close', () => {
      if (this.timer) clearTimeout(this.timer)
    })
  }

  protected override handleData(data: Buffer | string): void {
    super.handleData(data)
    if (!this.timer && this.hasBegun) this.expectWhole()
  }

  protected override emitMessage(text: string): void {
    this.frames += 1
    super.emitMessage(text)
  }

  protected override handleDataError(error: Error): void {
    super.handleDataError(error, { destroy: true })
  }

  private get hasBegun(): boolean {
    // private to TypeScript alone; `test/engine/frame-socket.test.ts` fails where the names change
    const { buffer, contentLength } = this as unknown as Begun
    return buffer.length > 0 || contentLength !== null
  }

  /** Nest's own time begins anew with each byte, so that one a second would do. */
  private expectWhole(): void {
    const { frames } = this
    this.timer = setTimeout(() => {
      this.timer = null
      if (!this.hasBegun) return
      if (frames !== this.frames) this.expectWhole()
      else this.handleDataError(new Error(`a frame was not whole after ${this.wholeMs} ms`))
    }, this.wholeMs).unref()
  }
}
