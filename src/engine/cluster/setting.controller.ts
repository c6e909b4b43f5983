import { Body, Get, Param, Put } from '@nestjs/common'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { Operation, RestController } from '../platform/openapi.js'
import { Settings } from '../platform/settings.js'
import { allSettings, SettingList, SettingPut, SettingView, viewSetting } from './setting.dto.js'
import { SettingChanges } from './setting-changes.js'

@RestController('settings', 'Settings', 'What is configured in the database, for all replicas.')
export class SettingController {
  constructor(
    private readonly settings: Settings,
    private readonly changes: SettingChanges,
  ) {}

  @Get()
  @Operation({ id: 'settings.list', allow: { plane: 'viewer' }, summary: 'List settings', reply: [200, SettingList] })
  list(): SettingList {
    return { items: allSettings.map((key) => viewSetting(this.settings.show(key))) }
  }

  @Get(':key')
  @Operation({
    id: 'settings.get',
    allow: { plane: 'viewer' },
    summary: 'Show a setting',
    reply: [200, SettingView],
    etag: true,
  })
  get(@Param('key') key: string): SettingView {
    return viewSetting(this.settings.show(this.settings.require(key)))
  }

  @Put(':key')
  @Operation({
    id: 'settings.put',
    allow: { plane: 'admin' },
    summary: 'Change a setting',
    reply: [200, SettingView],
    etag: true,
  })
  async put(@Param('key') key: string, @Body() body: SettingPut, @IfMatchHeader() ifMatch: IfMatch | null) {
    return viewSetting(await this.changes.put(key, body.value, ifMatch))
  }
}
