import { Get, Param, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { type Provider, providers } from '../../../wire/balancing/providers.js'
import { missing } from './reading.service.js'
import { Octavia, OctaviaController, viewer } from './route.js'

const descriptions: Readonly<Record<Provider, string>> = {
  haproxy: 'HAProxy on a host, changed without losing a connection.',
  nginx: 'nginx on a host, with checks by its agent.',
  simulated: 'A device of the simulator.',
}

/** What a profile's data may say: nothing but the provider matters to ours so far. */
const noCapabilities: readonly { name: string; description: string }[] = []

@OctaviaController('providers')
export class OctaviaProviderController {
  @Get()
  @Octavia('providers.list', viewer)
  list(@Req() { query }: FastifyRequest) {
    const { name } = query as { readonly name?: string }
    const found = providers.filter((provider) => name === undefined || provider === name)
    const shown = found.map((provider) => ({ name: provider, description: descriptions[provider] }))
    return { providers: shown, providers_links: [] }
  }

  @Get(':provider/flavor_capabilities')
  @Octavia('providers.flavorCapabilities', viewer)
  flavorCapabilities(@Param('provider') provider: string, @Req() _: FastifyRequest) {
    requireProvider(provider)
    return { flavor_capabilities: noCapabilities, flavor_capabilities_links: [] }
  }

  @Get(':provider/availability_zone_capabilities')
  @Octavia('providers.availabilityZoneCapabilities', viewer)
  availabilityZoneCapabilities(@Param('provider') provider: string, @Req() _: FastifyRequest) {
    requireProvider(provider)
    return { availability_zone_capabilities: noCapabilities, availability_zone_capabilities_links: [] }
  }
}

function requireProvider(name: string): void {
  if (!providers.includes(name as Provider)) throw missing('Provider', name)
}
