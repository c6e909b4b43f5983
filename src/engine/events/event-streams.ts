import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../platform/caller.js'
import { Invalid, Unavailable } from '../platform/errors.js'
import { Metrics } from '../platform/metrics.js'
import { type EventStreamQuery, viewEvent } from './event.dto.js'
import { type EventCursor, readEventCursor, writeEventCursor } from './event-cursor.js'
import { EventFeed, type Start } from './event-feed.js'
import { filterOf } from './event-filter.js'
import { type EventFilter, type LoggedEvent, PUT_BACK } from './event-log.js'
import { StreamWatch } from './stream-watch.js'

const MAX_STREAMS = 1_000
const COMMENT_MS = 15_000
/** A reader that takes nothing for this long is cut off: it resumes with its last id. */
const STALLED_MS = 30_000

interface Reader {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly caller: Caller
  readonly query: EventStreamQuery
  readonly lastEventId?: string
}

/** Live readers. Each is written only as fast as it reads, so that none grows the engine's memory. */
@Injectable()
export class EventStreams implements OnApplicationShutdown {
  private readonly log = new Logger(EventStreams.name)
  private readonly open_ = new Set<AbortController>()

  constructor(
    private readonly feed: EventFeed,
    private readonly watch: StreamWatch,
    metrics: Metrics,
  ) {
    metrics.gauge({
      name: 'keelson_event_streams',
      help: 'Readers of the live event stream',
      collect: (gauge) => gauge.set(this.open_.size),
    })
  }

  async open(reader: Reader): Promise<void> {
    const { request, reply, caller, query, lastEventId } = reader
    if (this.open_.size >= MAX_STREAMS) throw new Unavailable(`there are ${MAX_STREAMS} readers already`, 10)
    const last = lastEventId === undefined ? null : required(lastEventId)
    const ending = new AbortController()
    this.open_.add(ending)
    request.raw.on('close', () => ending.abort())
    const unwatch = this.watch.add({ request, caller, end: () => ending.abort() })
    try {
      const start = await this.feed.start(last, ending.signal)
      if (start) await this.serve(this.head(reply), start, filterOf(caller, query), ending)
    } finally {
      unwatch()
      this.open_.delete(ending)
    }
  }

  onApplicationShutdown(): void {
    for (const ending of this.open_) ending.abort()
  }

  /** Ends every stream; readers resume at another replica. */
  endAll(): void {
    this.onApplicationShutdown()
  }

  private async serve(
    response: ServerResponse,
    start: Start,
    filter: EventFilter,
    ending: AbortController,
  ): Promise<void> {
    const { cursor, reset } = start
    try {
      await write(response, reset ? resetMessage(cursor, reset) : place(cursor), ending)
      await this.pump(response, start, filter, ending)
    } catch (error) {
      if (!ending.signal.aborted) this.log.warn({ err: error }, 'an event stream ended: its reader resumes')
    } finally {
      response.end()
    }
  }

  private head(reply: FastifyReply): ServerResponse {
    const headers = reply.getHeaders()
    reply.hijack()
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) reply.raw.setHeader(name, value)
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    reply.raw.flushHeaders()
    return reply.raw
  }

  /** Ends when the database proves to have been put back: what its reader was sent may be of the history that was lost. */
  private async pump(
    response: ServerResponse,
    { cursor, incarnation: first }: Start,
    filter: EventFilter,
    ending: AbortController,
  ): Promise<void> {
    let at = cursor
    let incarnation = first
    const comments = setInterval(() => {
      if (response.writableLength === 0) response.write(place(at))
    }, COMMENT_MS)
    try {
      for await (const look of this.feed.follow(cursor, filter, ending.signal)) {
        if (look.cursor.incarnation > incarnation) {
          const anew = await this.feed.putBack(incarnation, ending.signal)
          if (anew) return await write(response, resetMessage(anew, PUT_BACK), ending)
          incarnation = look.cursor.incarnation
        }
        if (look.events.length > 0) await write(response, look.events.map(message).join(''), ending)
        at = look.cursor
      }
    } finally {
      clearInterval(comments)
    }
  }
}

/** @throws Invalid */
function required(lastEventId: string): EventCursor {
  const cursor = readEventCursor(lastEventId)
  if (cursor) return cursor
  throw new Invalid('Last-Event-ID is none of ours', [
    { field: 'Last-Event-ID', message: 'must be the id of an event' },
  ])
}

/** Dispatches nothing: a reader that was sent nothing for long still resumes at the end, not where it began. */
const place = (cursor: EventCursor): string => `:\nid: ${writeEventCursor(cursor)}\n\n`

function resetMessage(cursor: EventCursor, reason: string): string {
  return `event: reset\nid: ${writeEventCursor(cursor)}\ndata: ${JSON.stringify({ reason })}\n\n`
}

function message(event: LoggedEvent): string {
  const view = viewEvent(event)
  return `id: ${view.id}\nevent: ${view.type}\ndata: ${JSON.stringify(view)}\n\n`
}

/** Waits until the reader has taken what was written before. */
async function write(response: ServerResponse, text: string, ending: AbortController): Promise<void> {
  if (response.write(text)) return
  const stalled = setTimeout(() => {
    ending.abort()
    response.destroy()
  }, STALLED_MS)
  try {
    await once(response, 'drain', { signal: ending.signal })
  } finally {
    clearTimeout(stalled)
  }
}
