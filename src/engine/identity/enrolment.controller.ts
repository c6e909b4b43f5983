import { Body, Post, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { subjectOf } from '../platform/client-address.js'
import { Operation, RestController } from '../platform/openapi.js'
import { EnrolledView, EnrolmentCreate, viewEnrolled } from './enrolment.dto.js'
import { Enrolment } from './enrolment.service.js'

@RestController('enrolment', 'Enrolment')
export class EnrolmentController {
  constructor(private readonly enrolment: Enrolment) {}

  @Post()
  @Operation({
    id: 'enrolment.create',
    allow: 'anyone',
    guesses: 'enrolment',
    summary: 'Have a machine certified as a host',
    description: 'What `keelson agent join` does: the join token is the credential.',
    reply: [200, EnrolledView],
    errors: [
      'join-token-unknown',
      'join-token-used',
      'join-token-expired',
      'join-token-other-name',
      'name-taken',
      'csr-refused',
      'too-many-requests',
      'unavailable',
    ],
  })
  async create(@Body() body: EnrolmentCreate, @Req() request: FastifyRequest) {
    return viewEnrolled(await this.enrolment.enrol(subjectOf(request), body))
  }
}
