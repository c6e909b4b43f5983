import { Body, Delete, Get, Param, Post, Put, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { OctaviaOffers } from './offers.service.js'
import { askedOf, keeper, Octavia, OctaviaController, viewer } from './route.js'

@OctaviaController('flavors')
export class OctaviaFlavorController {
  constructor(private readonly offers: OctaviaOffers) {}

  @Get()
  @Octavia('flavors.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.offers.list(caller, 'flavors', askedOf(request))
  }

  @Get(':id')
  @Octavia('flavors.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.offers.get(caller, 'flavors', id, askedOf(request))
  }

  @Post()
  @Octavia('flavors.create', keeper, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.offers.create(caller, 'flavors', body)
  }

  @Put(':id')
  @Octavia('flavors.update', keeper)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.offers.update(caller, 'flavors', id, body)
  }

  @Delete(':id')
  @Octavia('flavors.delete', keeper, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return this.offers.delete(caller, 'flavors', id)
  }
}

@OctaviaController('flavorprofiles')
export class OctaviaFlavorProfileController {
  constructor(private readonly offers: OctaviaOffers) {}

  @Get()
  @Octavia('flavorProfiles.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.offers.list(caller, 'flavorProfiles', askedOf(request))
  }

  @Get(':id')
  @Octavia('flavorProfiles.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.offers.get(caller, 'flavorProfiles', id, askedOf(request))
  }

  @Post()
  @Octavia('flavorProfiles.create', keeper, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.offers.create(caller, 'flavorProfiles', body)
  }

  @Put(':id')
  @Octavia('flavorProfiles.update', keeper)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.offers.update(caller, 'flavorProfiles', id, body)
  }

  @Delete(':id')
  @Octavia('flavorProfiles.delete', keeper, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return this.offers.delete(caller, 'flavorProfiles', id)
  }
}

@OctaviaController('availabilityzones')
export class OctaviaAvailabilityZoneController {
  constructor(private readonly offers: OctaviaOffers) {}

  @Get()
  @Octavia('availabilityZones.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.offers.list(caller, 'availabilityZones', askedOf(request))
  }

  @Get(':name')
  @Octavia('availabilityZones.get', viewer)
  get(@Who() caller: Caller, @Param('name') name: string, @Req() request: FastifyRequest) {
    return this.offers.get(caller, 'availabilityZones', name, askedOf(request))
  }

  @Post()
  @Octavia('availabilityZones.create', keeper, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.offers.create(caller, 'availabilityZones', body)
  }

  @Put(':name')
  @Octavia('availabilityZones.update', keeper)
  update(@Who() caller: Caller, @Param('name') name: string, @Body() body: unknown) {
    return this.offers.update(caller, 'availabilityZones', name, body)
  }

  @Delete(':name')
  @Octavia('availabilityZones.delete', keeper, 204)
  delete(@Who() caller: Caller, @Param('name') name: string) {
    return this.offers.delete(caller, 'availabilityZones', name)
  }
}

@OctaviaController('availabilityzoneprofiles')
export class OctaviaAvailabilityZoneProfileController {
  constructor(private readonly offers: OctaviaOffers) {}

  @Get()
  @Octavia('availabilityZoneProfiles.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.offers.list(caller, 'availabilityZoneProfiles', askedOf(request))
  }

  @Get(':id')
  @Octavia('availabilityZoneProfiles.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.offers.get(caller, 'availabilityZoneProfiles', id, askedOf(request))
  }

  @Post()
  @Octavia('availabilityZoneProfiles.create', keeper, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.offers.create(caller, 'availabilityZoneProfiles', body)
  }

  @Put(':id')
  @Octavia('availabilityZoneProfiles.update', keeper)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.offers.update(caller, 'availabilityZoneProfiles', id, body)
  }

  @Delete(':id')
  @Octavia('availabilityZoneProfiles.delete', keeper, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return this.offers.delete(caller, 'availabilityZoneProfiles', id)
  }
}
