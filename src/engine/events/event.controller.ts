import { Get, Headers, Query, Req, Res } from '@nestjs/common'
import { ApiHeader } from '@nestjs/swagger'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../platform/caller.js'
import { Operation, RestController } from '../platform/openapi.js'
import { PageOf } from '../platform/pages.js'
import { Who } from '../platform/who.js'
import { EventQuery, EventStreamQuery, EventView, viewEvent } from './event.dto.js'
import { EventPages } from './event-pages.js'
import { EventStreams } from './event-streams.js'

@RestController('events', 'Events', 'What happened, in order, as a list and as a live stream.')
export class EventController {
  constructor(
    private readonly pages: EventPages,
    private readonly streams: EventStreams,
  ) {}

  @Get()
  @Operation({
    id: 'events.list',
    allow: { project: 'viewer' },
    summary: 'List events, oldest first',
    description:
      'Of the projects that the caller may see; who may see the plane sees all. The list has one order. `next` is null at its end; the last event’s id is a cursor too, to ask again later.',
    reply: [200, PageOf(EventView)],
    errors: ['cursor-lost'],
  })
  async list(@Who() caller: Caller, @Query() query: EventQuery) {
    const { items, next } = await this.pages.list(caller, query)
    return { items: items.map(viewEvent), next }
  }

  @Get('stream')
  @ApiHeader({
    name: 'Last-Event-ID',
    required: false,
    description: 'Go on after this event. Without it: from now on.',
  })
  @Operation({
    id: 'events.stream',
    allow: { project: 'viewer' },
    summary: 'Follow events as they happen (server-sent events)',
    description:
      'Each message has the event’s id, its type as `event`, and the same JSON as the list as `data`. A reader that was cut off resumes with Last-Event-ID and misses nothing. A message `reset` says that the cursor was lost: read anew what you show. The stream ends within seconds when what its caller may see has changed.',
    reply: [200, 'text/event-stream'],
  })
  async stream(
    @Who() caller: Caller,
    @Query() query: EventStreamQuery,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Headers('last-event-id') lastEventId?: string,
  ) {
    await this.streams.open({ request, reply, caller, query, lastEventId })
  }
}
