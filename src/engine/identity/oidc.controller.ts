import { Get, Param, Query, Req } from '@nestjs/common'
import { ApiQuery } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { Operation, RestController } from '../platform/openapi.js'
import { redirect } from '../platform/reply.js'
import { IdentityProviders } from './identity-providers.service.js'
import { OidcSignIn } from './oidc-sign-in.service.js'
import { OidcBegin, SignInProviders } from './session.dto.js'

@RestController('session', 'Session')
export class OidcController {
  constructor(
    private readonly signIn: OidcSignIn,
    private readonly providers: IdentityProviders,
  ) {}

  @Get('providers')
  @Operation({
    id: 'session.providers',
    allow: 'anyone',
    summary: 'List what one may sign in through beside the password',
    reply: [200, SignInProviders],
  })
  async list(): Promise<SignInProviders> {
    const enabled = await this.providers.enabled()
    return {
      items: enabled.map(({ name, displayName }) => ({ name, displayName, path: `/api/v1/session/oidc/${name}` })),
    }
  }

  @Get('oidc/:provider')
  @Operation({
    id: 'session.beginOidc',
    allow: 'anyone',
    summary: 'Go to an identity provider to sign in',
    reply: [302],
    errors: ['identity-provider-unavailable'],
  })
  async begin(@Param('provider') provider: string, @Query() query: OidcBegin, @Req() request: FastifyRequest) {
    const { location, cookies } = await this.signIn.begin(provider, query.returnTo, request)
    return redirect(location, cookies)
  }

  @Get('oidc/:provider/callback')
  @ApiQuery({ name: 'code', required: false, schema: { type: 'string' }, description: 'What the provider gave.' })
  @ApiQuery({ name: 'state', required: false, schema: { type: 'string' }, description: 'As it was sent there.' })
  @ApiQuery({ name: 'error', required: false, schema: { type: 'string' }, description: 'Why it gave nothing.' })
  @Operation({
    id: 'session.finishOidc',
    allow: 'anyone',
    guesses: 'sign-in',
    summary: 'Come back from an identity provider, signed in',
    description: 'Whatever else a provider adds to the address is not looked at.',
    reply: [302],
    errors: ['sign-in-refused', 'identity-provider-unavailable'],
  })
  async finish(@Param('provider') provider: string, @Req() request: FastifyRequest) {
    const { location, cookies } = await this.signIn.finish(provider, request)
    return redirect(location, cookies)
  }
}
