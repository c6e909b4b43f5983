import { Body, Delete, Get, Post, Put, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../platform/caller.js'
import { Operation, RestController } from '../platform/openapi.js'
import { Reply } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { PasswordChange, SessionView, SignInRequest } from './session.dto.js'
import { SignIn } from './sign-in.service.js'
import { WebSessions } from './web-sessions.js'
import { WhoAmI } from './who-am-i.js'

@RestController('session', 'Session', 'Signing in and out, and who one is.')
export class SessionController {
  constructor(
    private readonly signIn: SignIn,
    private readonly sessions: WebSessions,
    private readonly whoAmI: WhoAmI,
  ) {}

  @Post()
  @Operation({
    id: 'session.signIn',
    allow: 'anyone',
    guesses: 'sign-in',
    summary: 'Sign in by password; the reply sets the cookie of the session',
    description:
      'The answer is the same for an unknown, a disabled and a locked user, and for a wrong password. ' +
      'Too many failures lock the user, or the address that they come from, for a while.',
    reply: [200, SessionView],
    errors: ['wrong-credentials', 'cross-site', 'too-many-requests', 'unavailable'],
    everyTime: true,
  })
  async create(@Body() body: SignInRequest, @Req() request: FastifyRequest) {
    const { id, cookie } = await this.signIn.byPassword(body, request)
    return new Reply(await this.whoAmI.ofSession(id), { 'set-cookie': cookie })
  }

  @Get()
  @Operation({
    id: 'session.get',
    allow: 'signed-in',
    whilePasswordIsDue: true,
    summary: 'Show who is calling, and what they may',
    reply: [200, SessionView],
  })
  get(@Who() caller: Caller): Promise<SessionView> {
    return this.whoAmI.of(caller)
  }

  @Delete()
  @Operation({
    id: 'session.signOut',
    allow: 'signed-in',
    whilePasswordIsDue: true,
    summary: 'Sign out',
    reply: [204],
    errors: ['forbidden'],
  })
  async delete(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return new Reply(undefined, { 'set-cookie': await this.sessions.end(caller.sessionId, request) })
  }

  @Put('password')
  @Operation({
    id: 'session.changePassword',
    allow: 'signed-in',
    guesses: 'sign-in',
    whilePasswordIsDue: true,
    summary: 'Choose a new password; ends all sessions of the user, and sets the cookie of a new one',
    reply: [204],
    errors: ['wrong-credentials', 'forbidden', 'unavailable'],
  })
  async changePassword(@Body() body: PasswordChange, @Who() caller: Caller, @Req() request: FastifyRequest) {
    return new Reply(undefined, { 'set-cookie': await this.signIn.changePassword(caller, body, request) })
  }
}
