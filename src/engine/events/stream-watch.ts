import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { Access, requireAllowed } from '../platform/access.js'
import { type Caller, visibleProjects } from '../platform/caller.js'
import { Forbidden, Unauthenticated } from '../platform/errors.js'

/** A stream, who opened it by which request, and how it is ended. */
interface Watched {
  readonly request: FastifyRequest
  readonly caller: Caller
  readonly end: () => void
}

const ROUND_MS = 2_000

/**
 * A stream outlives the moment in which its caller was let in: each is asked about again every few seconds, one after another,
 * so that any number of them hold one connection to the database at the most. Streams of one token share the answer.
 */
@Injectable()
export class StreamWatch implements OnApplicationShutdown {
  private readonly log = new Logger(StreamWatch.name)
  private readonly watched = new Set<Watched>()
  private readonly timer = setInterval(() => void this.round(), ROUND_MS).unref()
  private going = false

  constructor(private readonly access: Access) {}

  /** @returns what takes the stream out again */
  add(stream: Watched): () => void {
    this.watched.add(stream)
    return () => this.watched.delete(stream)
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer)
    this.watched.clear()
  }

  private async round(): Promise<void> {
    if (this.going) return
    this.going = true
    try {
      for (const stream of this.watched) if (!(await this.isGood(stream))) stream.end()
    } finally {
      this.going = false
    }
  }

  /** Its reader resumes with what it may see now, if that is anything. */
  private async isGood({ request, caller }: Watched): Promise<boolean> {
    try {
      const now = await this.access.callerOf(request)
      requireAllowed(now, { project: 'viewer' })
      return sightOf(now) === sightOf(caller)
    } catch (error) {
      if (error instanceof Unauthenticated || error instanceof Forbidden) return false
      // who cannot be asked about is asked about again: while the database is away, no events come either
      this.log.debug({ err: error }, 'cannot tell whether the caller of a stream may still follow')
      return true
    }
  }
}

const sightOf = (caller: Caller): string => [...(visibleProjects(caller) ?? ['plane'])].sort().join()
