import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { GuestCreate, GuestQuery } from './guest.dto.js'
import { GuestCreation } from './guest-creation.js'
import { GuestMessageQuery, GuestMessageView, GuestRun, viewMessage } from './guest-message.dto.js'
import { GuestUpdate, GuestVolume } from './guest-update.dto.js'
import { GuestView, viewGuest } from './guest-view.dto.js'
import { Guests } from './guests.service.js'

const EXAMPLE = {
  name: 'web-1',
  imageId: '2f1b0c9d-8e7f-4a6b-9c5d-4e3f2a1b0c9d',
  vcpus: 2,
  memoryMiB: 2048,
  disks: [{ connectionId: 'storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77', sizeMiB: 10240 }],
  nics: [{ networkId: '5c8f1e2d-3b4a-4c5d-8e6f-7a8b9c0d1e2f' }],
  sshKeys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5 somebody'],
  prepare: { packages: ['nginx'], files: [{ path: '/etc/motd', content: 'hello' }] },
}

@RestController(
  'guests',
  'Guests',
  'Virtual machines: made of an image, on a host, and prepared before they are ACTIVE.',
)
export class GuestController {
  constructor(
    private readonly guests: Guests,
    private readonly creation: GuestCreation,
  ) {}

  @Get()
  @Operation({
    id: 'guests.list',
    allow: { project: 'viewer' },
    summary: 'List guests',
    reply: [200, PageOf(GuestView)],
  })
  async list(@Who() caller: Caller, @Query() query: GuestQuery) {
    return viewPage(await this.guests.list(caller, query), viewGuest)
  }

  @Post()
  @Operation({
    id: 'guests.create',
    allow: { project: 'operator' },
    summary: 'Make a guest',
    description:
      'Answers once it has a place, with the first command for its host. It is ACTIVE when it has answered and has done what `prepare` says, else in ERROR with the layer that failed.',
    reply: [202, GuestView],
    requestExample: EXAMPLE,
    etag: true,
    errors: ['not-found', 'name-taken', 'no-room', 'quota-exceeded', 'network-full', 'address-taken'],
  })
  async create(@Who() caller: Caller, @Body() body: GuestCreate) {
    return accepted(viewGuest(await this.creation.create(caller, body)))
  }

  @Get(':id')
  @Operation({
    id: 'guests.get',
    allow: { project: 'viewer' },
    summary: 'Show a guest',
    reply: [200, GuestView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewGuest(await this.guests.require(caller, id))
  }

  @Delete(':id')
  @Operation({
    id: 'guests.delete',
    allow: { project: 'operator' },
    summary: 'Remove a guest, at whatever step it is',
    description: 'It is gone once its host has confirmed. Disks that are not kept go with it.',
    reply: [202, GuestView],
    etag: true,
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.delete(caller, id, ifMatch)))
  }

  @Patch(':id')
  @Operation({
    id: 'guests.update',
    allow: { project: 'operator' },
    summary: 'Change a guest; its size only while it is stopped',
    reply: [202, GuestView],
    requestExample: { labels: { app: 'shop' }, restartPolicy: 'always' },
    etag: true,
    errors: ['conflict', 'pending', 'no-room', 'quota-exceeded'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: GuestUpdate,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return accepted(viewGuest(await this.guests.update(caller, id, body, ifMatch)))
  }

  @Post(':id/messages')
  @Operation({
    id: 'guests.run',
    allow: { project: 'operator' },
    summary: 'Have something done in a guest, once',
    description:
      'It is pinged first, and told after its pong, in that boot or not at all. The list of messages shows how far it has come.',
    reply: [202, GuestMessageView],
    requestExample: { commands: [{ argv: ['systemctl', 'restart', 'nginx'] }] },
    errors: ['conflict', 'pending'],
  })
  async run(@Who() caller: Caller, @IdParam() id: string, @Body() body: GuestRun) {
    return accepted(viewMessage(await this.guests.run(caller, id, body)))
  }

  @Post(':id/disks')
  @Operation({
    id: 'guests.attach',
    allow: { project: 'operator' },
    summary: 'Make a volume the last disk of a guest that is stopped',
    reply: [202, GuestView],
    etag: true,
    errors: ['not-found', 'conflict', 'pending', 'in-use'],
  })
  async attach(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() { volumeId }: GuestVolume,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return accepted(viewGuest(await this.guests.attach(caller, id, volumeId, ifMatch)))
  }

  @Delete(':id/disks/:volumeId')
  @Operation({
    id: 'guests.detach',
    allow: { project: 'operator' },
    summary: 'Take a disk off a guest that is stopped; it stays a volume',
    reply: [202, GuestView],
    etag: true,
    errors: ['not-found', 'conflict', 'pending'],
  })
  async detach(
    @Who() caller: Caller,
    @IdParam() id: string,
    @IdParam('volumeId') volumeId: string,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return accepted(viewGuest(await this.guests.detach(caller, id, volumeId, ifMatch)))
  }

  @Get(':id/messages')
  @Operation({
    id: 'guests.messages',
    allow: { project: 'viewer' },
    summary: 'List what was said to a guest, and what became of it',
    reply: [200, PageOf(GuestMessageView)],
  })
  async messages(@Who() caller: Caller, @IdParam() id: string, @Query() query: GuestMessageQuery) {
    return viewPage(await this.guests.messages(caller, id, query), viewMessage)
  }

  @Post(':id/start')
  @Operation({
    id: 'guests.start',
    allow: { project: 'operator' },
    summary: 'Start a guest that is stopped, or has ended by itself',
    reply: [202, GuestView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async start(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.power(caller, id, 'start', ifMatch)))
  }

  @Post(':id/stop')
  @Operation({
    id: 'guests.stop',
    allow: { project: 'operator' },
    summary: 'Stop a guest: it is asked first, and forced after its grace',
    reply: [202, GuestView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async stop(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.power(caller, id, 'stop', ifMatch)))
  }

  @Post(':id/pause')
  @Operation({
    id: 'guests.pause',
    allow: { project: 'operator' },
    summary: 'Halt a guest where it is, in memory',
    reply: [202, GuestView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async pause(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.power(caller, id, 'pause', ifMatch)))
  }

  @Post(':id/resume')
  @Operation({
    id: 'guests.resume',
    allow: { project: 'operator' },
    summary: 'Let a guest go on that was halted',
    reply: [202, GuestView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async resume(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.power(caller, id, 'resume', ifMatch)))
  }

  @Post(':id/reset')
  @Operation({
    id: 'guests.reset',
    allow: { project: 'operator' },
    summary: 'Begin another boot of a guest at once, as its reset button does',
    reply: [202, GuestView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async reset(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.power(caller, id, 'reset', ifMatch)))
  }

  @Post(':id/restart')
  @Operation({
    id: 'guests.restart',
    allow: { project: 'operator' },
    summary: 'Begin another boot of a guest: it is asked first, and forced after its grace',
    reply: [202, GuestView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async restart(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.power(caller, id, 'restart', ifMatch)))
  }

  @Post(':id/rebuild')
  @Operation({
    id: 'guests.rebuild',
    allow: { project: 'operator' },
    summary: 'Make a guest anew of its image, at whatever step it is',
    description: 'It keeps its host, its addresses and its other disks, and is told again what `prepare` said.',
    reply: [202, GuestView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async rebuild(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewGuest(await this.guests.rebuild(caller, id, ifMatch)))
  }
}
