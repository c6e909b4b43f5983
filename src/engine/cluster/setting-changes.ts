import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { Database } from '../platform/database.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { SettingContent } from '../platform/setting-keys.js'
import { Settings, type SettingValue } from '../platform/settings.js'

/** Changes of settings, told as events; every replica has them within seconds. */
@Injectable()
export class SettingChanges {
  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
    private readonly events: Events,
  ) {}

  async put(name: string, value: SettingContent, ifMatch: IfMatch | null): Promise<SettingValue> {
    const key = this.settings.require(name)
    return this.database.transaction(async (tx) => {
      const changed = await this.settings.set(tx, key, value, (generation) => requireMatch(ifMatch, generation))
      await this.events.append(tx, [
        { type: 'settings.setting.changed', subject: `setting/${key}`, payload: { key, value } },
      ])
      return changed
    })
  }
}
