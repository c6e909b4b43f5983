import { Get, Param, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { type Provider, providers } from '../../../wire/balancing/providers.js'
import { refused } from './input.js'
import { fieldsOf, type Given } from './list-query.js'
import { picked, type Shown } from './reading.service.js'
import { Octavia, OctaviaController, viewer } from './route.js'

interface Described {
  readonly name: string
  readonly description: string
}

const descriptions: Readonly<Record<Provider, string>> = {
  haproxy: 'HAProxy on a host, changed without losing a connection.',
  nginx: 'nginx on a host, with checks by its agent.',
  simulated: 'A device of the simulator.',
}

/** What the data of profiles may say beside the provider: nothing, of flavors. */
const flavorCapabilities: readonly Described[] = []
const zoneCapabilities: readonly Described[] = [
  { name: 'labels', description: 'Names and values that the labels of a host must have.' },
]

@OctaviaController('providers')
export class OctaviaProviderController {
  @Get()
  @Octavia('providers.list', viewer)
  list(@Req() request: FastifyRequest) {
    const known = providers.map((name) => ({ name, description: descriptions[name] }))
    return { providers: narrowed(known, request), providers_links: [] }
  }

  @Get(':provider/flavor_capabilities')
  @Octavia('providers.flavorCapabilities', viewer)
  flavorCapabilities(@Param('provider') provider: string, @Req() request: FastifyRequest) {
    requireProvider(provider)
    return { flavor_capabilities: narrowed(flavorCapabilities, request), flavor_capabilities_links: [] }
  }

  @Get(':provider/availability_zone_capabilities')
  @Octavia('providers.availabilityZoneCapabilities', viewer)
  availabilityZoneCapabilities(@Param('provider') provider: string, @Req() request: FastifyRequest) {
    requireProvider(provider)
    return {
      availability_zone_capabilities: narrowed(zoneCapabilities, request),
      availability_zone_capabilities_links: [],
    }
  }
}

/** @throws BadInput: to clients what is not enabled is no missing page */
function requireProvider(name: string): void {
  if (!providers.includes(name as Provider))
    throw refused('provider', `Provider ${JSON.stringify(name)} is not enabled`)
}

/** By name and description, to the fields that are asked for. */
function narrowed(known: readonly Described[], { query }: FastifyRequest): readonly Shown[] {
  const given = query as Given
  const fits = (one: Described) =>
    (['name', 'description'] as const).every(
      (key) => given[key] === undefined || [given[key]].flat().includes(one[key]),
    )
  return known.filter(fits).map((one) => picked({ ...one }, fieldsOf(given)))
}
