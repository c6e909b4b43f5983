import { type ArgumentsHost, Catch, type ExceptionFilter, Logger } from '@nestjs/common'
import { type Observable, of } from 'rxjs'
import type { Refusal } from '../../wire/session.js'
import { WireError } from '../../wire/validate.js'
import { isDatabaseOutage } from '../platform/database-outage.js'
import { DomainError, Unavailable } from '../platform/errors.js'
import { Fenced } from './fenced.js'
import { refuse } from './gate.js'

const log = new Logger('Sessions')

/** Answers an agent's call that failed with a typed refusal: a caller that gets no answer would wait for its timeout. */
@Catch()
export class RefusalFilter implements ExceptionFilter {
  catch(error: unknown, _host: ArgumentsHost): Observable<Refusal> {
    return of(refusalOf(error))
  }
}

export function refusalOf(error: unknown): Refusal {
  if (error instanceof WireError) return refuse('bad-message', error.message)
  if (error instanceof Fenced) return refuse('fenced', error.message)
  if (error instanceof Unavailable || isDatabaseOutage(error)) {
    return refuse('unavailable', 'the database cannot be reached: say it again later')
  }
  if (error instanceof DomainError) return refuse(error.type, error.message)
  log.error({ err: error }, 'a call of an agent failed')
  return refuse('internal', 'the engine failed: say it again later')
}
