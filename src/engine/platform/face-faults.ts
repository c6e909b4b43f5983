import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Face } from './faces.js'
import type { ProblemReply } from './problem.js'

/** How an error is told on a face that has words of its own for it. */
export type Teller = (
  error: unknown,
  problem: ProblemReply,
  request: FastifyRequest,
) => { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: unknown }

interface KnownTeller {
  readonly face: Face
  /** Where the face is: for what meets no route there. */
  readonly paths: RegExp
  readonly tell: Teller
}

/** Faces beside our own, and how they tell errors: each is made known by its own module. */
@Injectable()
export class FaceFaults {
  private readonly tellers: KnownTeller[] = []

  register(teller: KnownTeller): void {
    this.tellers.push(teller)
  }

  /** Null: a problem document it is. */
  tellerOf(request: FastifyRequest): Teller | null {
    const face = request.routeOptions.config.operation?.face
    const path = request.url.split('?', 1)[0] ?? ''
    const found = this.tellers.find((known) => (request.is404 ? known.paths.test(path) : known.face === face))
    return found?.tell ?? null
  }
}
