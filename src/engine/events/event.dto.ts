import { ApiPropertyOptional } from '@nestjs/swagger'
import { IsOptional, IsString, MaxLength } from 'class-validator'
import { Filter, PageQuery } from '../platform/pages.js'
import { cursorOf, type LoggedEvent } from './event-log.js'
import { eventTypes } from './event-types.js'

export class EventQuery extends PageQuery {
  @Filter({ enum: Object.keys(eventTypes), description: 'Events of these types.' }) type?: string[]
  @Filter({ format: 'uuid', description: 'Events of these hosts.' }) hostId?: string[]
  @Filter({ format: 'uuid', description: 'Events of these projects.' }) projectId?: string[]
  /** Events of one subject, e.g. `host/<id>`. */
  @ApiPropertyOptional({ description: 'Events of one subject, e.g. `host/<id>`.' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  subject?: string
}

export class EventStreamQuery {
  @Filter({ enum: Object.keys(eventTypes), description: 'Events of these types.' }) type?: string[]
  @Filter({ format: 'uuid', description: 'Events of these hosts.' }) hostId?: string[]
  @Filter({ format: 'uuid', description: 'Events of these projects.' }) projectId?: string[]
  @ApiPropertyOptional({ description: 'Events of one subject, e.g. `host/<id>`.' })
  @IsOptional()
  @IsString()
  @MaxLength(512)
  subject?: string
}

export class EventView {
  /**
   * The cursor of the event: what `Last-Event-ID` and `cursor` take.
   * @example 1-5f0d8f1e.771.42
   */
  id!: string
  /** @example 2026-01-31T12:00:00.000Z */
  at!: string
  /** @example storage.connection.managed */
  type!: string
  /** @example storage-connection/0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11/FLOW101_a */
  subject!: string
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string | null
  /**
   * Null: it is the plane's own.
   * @example 3e1f0c52-8a4b-4d0e-9b7a-6f1d2c3b4a59
   */
  projectId!: string | null
  /** The request that caused it. */
  requestId!: string | null
  /** @example { "connectionId": "FLOW101_a" } */
  payload!: Record<string, unknown>
}

export const viewEvent = (event: LoggedEvent): EventView => ({
  id: cursorOf(event),
  at: event.at.toISOString(),
  type: event.type,
  subject: event.subject,
  hostId: event.hostId,
  projectId: event.projectId,
  requestId: event.requestId,
  payload: event.payload,
})
