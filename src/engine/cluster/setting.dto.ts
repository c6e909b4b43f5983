import { IsInt } from 'class-validator'
import { type SettingKey, settingKeys } from '../platform/setting-keys.js'
import type { SettingValue } from '../platform/settings.js'

export class SettingPut {
  /**
   * Within the bounds of the setting.
   * @example 5000
   */
  @IsInt()
  value!: number
}

export class SettingView {
  /** @example sessions.heartbeatMs */
  key!: string
  /** @example 5000 */
  value!: number
  /** @example 5000 */
  default!: number
  /** @example 200 */
  min!: number
  /** @example 60000 */
  max!: number
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
  const { default: standard, min, max, meaning } = settingKeys[key]
  return { key, value, default: standard, min, max, meaning, generation }
}

export const allSettings = Object.keys(settingKeys) as SettingKey[]
