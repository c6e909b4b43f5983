import { Body, Delete, Get, Post, Query } from '@nestjs/common'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { JoinTokenCreate, JoinTokenCreated, JoinTokenQuery, JoinTokenView, viewJoinToken } from './join-token.dto.js'
import { JoinTokens } from './join-tokens.service.js'

@RestController(
  'hosts/join-tokens',
  'Enrolment',
  'How a machine becomes a host: join tokens, and certificates for them.',
)
export class JoinTokenController {
  constructor(private readonly tokens: JoinTokens) {}

  @Get()
  @Operation({
    id: 'joinTokens.list',
    allow: { plane: 'admin' },
    summary: 'List join tokens',
    reply: [200, PageOf(JoinTokenView)],
  })
  async list(@Query() query: JoinTokenQuery) {
    return viewPage(await this.tokens.list(query), viewJoinToken)
  }

  @Post()
  @Operation({
    id: 'joinTokens.create',
    allow: { plane: 'admin' },
    summary: 'Make a join token',
    description: 'Its text is for `keelson agent join`, and shown once.',
    reply: [201, JoinTokenCreated],
    secretReply: true,
  })
  async create(@Body() body: JoinTokenCreate) {
    const { row, token } = await this.tokens.create(body)
    return created({ ...viewJoinToken(row), token }, `/api/v1/hosts/join-tokens/${row.id}`)
  }

  @Delete(':id')
  @Operation({ id: 'joinTokens.delete', allow: { plane: 'admin' }, summary: 'Take a join token back', reply: [204] })
  async delete(@IdParam() id: string) {
    await this.tokens.delete(id)
  }
}
