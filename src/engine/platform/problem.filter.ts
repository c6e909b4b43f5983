import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { FaceFaults } from './face-faults.js'
import { type ProblemReply, problemReply, StoredProblem, sendFault, sendProblem } from './problem.js'
import { problems, problemUrn } from './problems.js'

/** The one place where an error meets HTTP. The transport has its own. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly log = new Logger(ProblemFilter.name)

  constructor(private readonly faults: FaceFaults) {}

  catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') throw error
    const request = host.switchToHttp().getRequest<FastifyRequest>()
    const reply = host.switchToHttp().getResponse<FastifyReply>()
    const answer = error instanceof StoredProblem ? error : problemReply(error, request)
    if (!(error instanceof StoredProblem)) this.tell(error, answer as ProblemReply, request)
    // a stream that broke half way: the caller has the head of a success already
    if (reply.sent || reply.raw.headersSent) {
      reply.raw.destroy()
      return
    }
    const tell = this.faults.tellerOf(request)
    if (tell && !(error instanceof StoredProblem))
      sendFault(reply, answer, tell(error, answer as ProblemReply, request))
    else sendProblem(reply, answer)
  }

  private tell(error: unknown, { status, body }: ProblemReply, request: FastifyRequest): void {
    const line = `${request.method} ${body.instance}: ${status} ${body.type}`
    if (body.type === problemUrn('internal')) this.log.error(line, error)
    else if (status >= problems.internal.status) this.log.warn(`${line}: ${(error as Error).message}`)
    else this.log.debug(`${line}: ${body.detail}`)
  }
}
