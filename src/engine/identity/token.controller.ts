import { Body, Delete, Get, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { NewTokenView, TokenCreate, TokenQuery, TokenView, viewToken } from './token.dto.js'
import { type IssuedToken, ownOf, Tokens } from './tokens.service.js'

@RestController('tokens', 'Tokens', "API tokens: the caller's own.")
export class TokenController {
  constructor(private readonly tokens: Tokens) {}

  @Get()
  @Operation({ id: 'tokens.list', allow: 'signed-in', summary: 'List own tokens', reply: [200, PageOf(TokenView)] })
  async list(@Query() query: TokenQuery, @Who() caller: Caller) {
    return viewPage(await this.tokens.list(ownOf(caller), query), viewToken)
  }

  @Post()
  @Operation({
    id: 'tokens.create',
    allow: 'signed-in',
    summary: 'Make a token of one’s own, shown in this reply alone',
    description: 'A call by token can make none that may more, or lasts longer, than that one.',
    reply: [201, NewTokenView],
    errors: ['forbidden', 'conflict'],
    secretReply: true,
  })
  async create(@Body() body: TokenCreate, @Who() caller: Caller) {
    return viewNew(await this.tokens.createOwn(caller, body), '/api/v1/tokens')
  }

  @Get(':id')
  @Operation({ id: 'tokens.get', allow: 'signed-in', summary: 'Show an own token', reply: [200, TokenView] })
  async get(@IdParam() id: string, @Who() caller: Caller) {
    return viewToken(await this.tokens.require(ownOf(caller), id))
  }

  @Delete(':id')
  @Operation({
    id: 'tokens.revoke',
    allow: 'signed-in',
    summary: 'Revoke an own token, on every replica',
    description: 'A call by a token that has a role or a project can revoke that one alone.',
    reply: [204],
    errors: ['forbidden'],
  })
  async revoke(@IdParam() id: string, @Who() caller: Caller) {
    await this.tokens.revokeOwn(caller, id)
  }
}

@RestController('users/:id/tokens', 'Tokens')
export class UserTokenController {
  constructor(private readonly tokens: Tokens) {}

  @Get()
  @Operation({
    id: 'userTokens.list',
    allow: { plane: 'admin' },
    summary: 'List the tokens of a user',
    reply: [200, PageOf(TokenView)],
  })
  async list(@IdParam() id: string, @Query() query: TokenQuery) {
    return viewPage(await this.tokens.list(await this.tokens.requireUser(id), query), viewToken)
  }

  @Post()
  @Operation({
    id: 'userTokens.create',
    allow: { plane: 'admin' },
    summary: 'Make a token for a service, shown in this reply alone',
    reply: [201, NewTokenView],
    errors: ['conflict'],
    secretReply: true,
  })
  async create(@IdParam() id: string, @Body() body: TokenCreate, @Who() caller: Caller) {
    return viewNew(await this.tokens.createForService(id, body, caller), `/api/v1/users/${id}/tokens`)
  }

  @Get(':tokenId')
  @Operation({
    id: 'userTokens.get',
    allow: { plane: 'admin' },
    summary: 'Show a token of a user',
    reply: [200, TokenView],
  })
  async get(@IdParam() id: string, @IdParam('tokenId') tokenId: string) {
    return viewToken(await this.tokens.require(id, tokenId))
  }

  @Delete(':tokenId')
  @Operation({
    id: 'userTokens.revoke',
    allow: { plane: 'admin' },
    summary: 'Revoke a token of a user, on every replica',
    reply: [204],
  })
  async revoke(@IdParam() id: string, @IdParam('tokenId') tokenId: string) {
    await this.tokens.revoke(id, tokenId)
  }
}

const viewNew = ({ row, text }: IssuedToken, below: string) =>
  created({ ...viewToken(row), token: text }, `${below}/${row.id}`)
