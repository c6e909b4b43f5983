import { ApiProperty } from '@nestjs/swagger'
import {
  type AnySettingKey,
  isListSetting,
  listSettingKeys,
  MAX_ENTRIES,
  settingKeys,
} from '../platform/setting-keys.js'
import type { SettingValue } from '../platform/settings.js'
import { IsSettingContent, MAX_ENTRY_LENGTH } from './setting-content.js'

/** A number, or a list of texts: which of the two is the setting's own. */
const content = {
  oneOf: [
    { type: 'integer' },
    { type: 'array', maxItems: MAX_ENTRIES, items: { type: 'string', maxLength: MAX_ENTRY_LENGTH } },
  ],
  example: 5000,
}

export class SettingPut {
  /** Within the bounds of the setting. */
  @ApiProperty(content)
  @IsSettingContent()
  value!: number | string[]
}

export class SettingView {
  /** @example sessions.heartbeatMs */
  key!: string
  @ApiProperty(content)
  value!: number | string[]
  @ApiProperty(content)
  default!: number | string[]
  /**
   * Null for a list.
   * @example 200
   */
  min!: number | null
  /**
   * Null for a list.
   * @example 60000
   */
  max!: number | null
  /** @example How often an agent says that it lives. */
  meaning!: string
  /**
   * 0: never changed. What the ETag shows.
   * @example 0
   */
  generation!: number
}

export class SettingList {
  /** Every setting there is. */
  items!: SettingView[]
}

export function viewSetting({ key, value, generation }: SettingValue): SettingView {
  const shown = typeof value === 'number' ? value : [...value]
  if (isListSetting(key)) {
    const { default: standard, meaning } = listSettingKeys[key]
    return { key, value: shown, default: [...standard], min: null, max: null, meaning, generation }
  }
  const { default: standard, min, max, meaning } = settingKeys[key]
  return { key, value: shown, default: standard, min, max, meaning, generation }
}

export const allSettings = [...Object.keys(settingKeys), ...Object.keys(listSettingKeys)] as AnySettingKey[]
