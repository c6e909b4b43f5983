import { Get, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { Who } from '../platform/who.js'
import { CommandQuery, CommandView, viewCommand } from './command.dto.js'
import { Commands } from './commands.service.js'

@RestController('commands', 'Commands', 'What hosts are asked to do: what is going on, and how it went.')
export class CommandController {
  constructor(private readonly commands: Commands) {}

  @Get()
  @Operation({
    id: 'commands.list',
    allow: { project: 'viewer' },
    summary: 'List commands',
    reply: [200, PageOf(CommandView)],
  })
  async list(@Who() caller: Caller, @Query() query: CommandQuery) {
    return viewPage(await this.commands.list(caller, query), viewCommand)
  }

  @Get(':id')
  @Operation({ id: 'commands.get', allow: { project: 'viewer' }, summary: 'Show a command', reply: [200, CommandView] })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewCommand(await this.commands.require(caller, id))
  }
}
