import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import {
  IdentityProviderCreate,
  IdentityProviderQuery,
  IdentityProviderUpdate,
  IdentityProviderView,
  viewIdentityProvider,
} from './identity-provider.dto.js'
import { IdentityProviders } from './identity-providers.service.js'

@RestController('identity-providers', 'Identity providers', 'OIDC issuers whose users may sign in.')
export class IdentityProviderController {
  constructor(private readonly providers: IdentityProviders) {}

  @Get()
  @Operation({
    id: 'identityProviders.list',
    allow: { plane: 'admin' },
    summary: 'List identity providers',
    reply: [200, PageOf(IdentityProviderView)],
  })
  async list(@Query() query: IdentityProviderQuery) {
    return viewPage(await this.providers.list(query), viewIdentityProvider)
  }

  @Post()
  @Operation({
    id: 'identityProviders.create',
    allow: { plane: 'admin' },
    summary: 'Let the users of an OIDC issuer sign in',
    description: 'It sends them back to `/api/v1/session/oidc/{name}/callback`, which it has to know of.',
    reply: [201, IdentityProviderView],
    errors: ['name-taken'],
    etag: true,
  })
  async create(@Body() body: IdentityProviderCreate) {
    const provider = await this.providers.create(body)
    return created(viewIdentityProvider(provider), `/api/v1/identity-providers/${provider.id}`)
  }

  @Get(':id')
  @Operation({
    id: 'identityProviders.get',
    allow: { plane: 'admin' },
    summary: 'Show an identity provider',
    reply: [200, IdentityProviderView],
    etag: true,
  })
  async get(@IdParam() id: string) {
    return viewIdentityProvider(await this.providers.require(id))
  }

  @Patch(':id')
  @Operation({
    id: 'identityProviders.update',
    allow: { plane: 'admin' },
    summary: 'Change, disable or enable an identity provider',
    description:
      'Disabling it ends the sessions that it opened, and takes the roles that its groups gave. Roles that `groupRoles` does not give any more are taken at once, others are given at the next sign-in.',
    reply: [200, IdentityProviderView],
    errors: ['last-administrator'],
    etag: true,
  })
  async update(@IdParam() id: string, @Body() body: IdentityProviderUpdate, @IfMatchHeader() ifMatch: IfMatch | null) {
    return viewIdentityProvider(await this.providers.update(id, body, ifMatch))
  }

  @Delete(':id')
  @Operation({
    id: 'identityProviders.delete',
    allow: { plane: 'admin' },
    summary: 'Remove an identity provider, with the sessions and roles that it gave; its users stay',
    reply: [204],
    errors: ['last-administrator'],
  })
  async delete(@IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    await this.providers.delete(id, ifMatch)
  }
}
