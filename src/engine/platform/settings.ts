import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import { Database, type Tx } from './database.js'
import { Invalid, NotFound } from './errors.js'
import { Notifications } from './notifications.js'
import {
  type AnySettingKey,
  isListSetting,
  type ListSettingKey,
  type ListSettingSpec,
  listSettingKeys,
  MAX_ENTRIES,
  type SettingContent,
  type SettingKey,
  settingKeys,
  settingRatios,
} from './setting-keys.js'

const SETTINGS_CHANNEL = 'keelson_settings'
const RELOAD_MS = 5_000

export interface SettingValue {
  readonly key: AnySettingKey
  readonly value: SettingContent
  readonly generation: number
}

/**
 * Settings as this replica sees them: a copy in memory, read anew within milliseconds of a change and every few seconds
 * besides. The defaults stand until the first read.
 */
@Injectable()
export class Settings implements OnApplicationShutdown {
  private readonly log = new Logger(Settings.name)
  private values = new Map<AnySettingKey, SettingValue>()
  private readonly timer: NodeJS.Timeout

  constructor(
    private readonly database: Database,
    private readonly notifications: Notifications,
  ) {
    notifications.listen(SETTINGS_CHANNEL, () => void this.reload())
    this.timer = setInterval(() => void this.reload(), RELOAD_MS)
    this.timer.unref()
  }

  get(key: SettingKey): number {
    const value = this.values.get(key)?.value
    return typeof value === 'number' ? value : settingKeys[key].default
  }

  list(key: ListSettingKey): readonly string[] {
    const value = this.values.get(key)?.value
    return typeof value === 'object' ? value : listSettingKeys[key].default
  }

  show(key: AnySettingKey): SettingValue {
    const value = isListSetting(key) ? listSettingKeys[key].default : settingKeys[key].default
    return this.values.get(key) ?? { key, value, generation: 0 }
  }

  forAgents(): Record<string, number> {
    const told = (Object.keys(settingKeys) as SettingKey[]).filter((key) => settingKeys[key].agents)
    return Object.fromEntries(told.map((key) => [key, this.get(key)]))
  }

  /** The key if there is such a setting. @throws NotFound */
  require(key: string): AnySettingKey {
    if (isListSetting(key)) return key
    if (!Object.hasOwn(settingKeys, key)) throw new NotFound(`setting ${key}`)
    return key as SettingKey // own keys of the table are its key type
  }

  /** @param check is called with the generation under a row lock, to compare an If-Match */
  async set(
    tx: Tx,
    key: AnySettingKey,
    given: SettingContent,
    check: (generation: number) => void,
  ): Promise<SettingValue> {
    const value = isListSetting(key) ? requireList(key, given) : requireNumber(key, given)
    await tx.query('LOCK TABLE settings IN SHARE ROW EXCLUSIVE MODE')
    const [old] = await tx.query('SELECT generation FROM settings WHERE key = $1', [key])
    check(old?.generation ?? 0)
    if (typeof value === 'number') await this.requireRatios(tx, key, value)
    const generation: number = (old?.generation ?? 0) + 1
    await tx.query(
      `INSERT INTO settings (key, value, generation) VALUES ($1, $2, $3)
       ON CONFLICT (key) DO UPDATE SET value = $2, generation = $3, updated_at = now()`,
      [key, JSON.stringify(value), generation],
    )
    this.database.afterCommit(tx, () => {
      void this.reload()
      this.notifications.notify(SETTINGS_CHANNEL, key)
    })
    return { key, value, generation }
  }

  /** Against what the others are in the database, not in this replica's copy. @throws Invalid */
  private async requireRatios(tx: Tx, key: AnySettingKey, value: number): Promise<void> {
    const other = async (of: SettingKey): Promise<number> => {
      const [row] = await tx.query('SELECT value FROM settings WHERE key = $1', [of])
      return row?.value ?? settingKeys[of].default
    }
    for (const ratio of settingRatios) {
      if (key === ratio.key) {
        const of = await other(ratio.of)
        if (value < ratio.times * of)
          throw refused(key, `must be at least ${ratio.times} times ${ratio.of}, which is ${of}`)
      } else if (key === ratio.of) {
        const bound = await other(ratio.key)
        if (value * ratio.times > bound)
          throw refused(key, `${ratio.key} must be at least ${ratio.times} times it, and is ${bound}: raise that first`)
      }
    }
  }

  async reload(): Promise<void> {
    try {
      const rows: { key: string; value: unknown; generation: number }[] = await this.database.dataSource.query(
        'SELECT key, value, generation FROM settings',
      )
      const known = rows.filter(
        (row): row is SettingValue =>
          (Object.hasOwn(settingKeys, row.key) && typeof row.value === 'number') ||
          (isListSetting(row.key) && Array.isArray(row.value)),
      )
      this.values = new Map(known.map((row) => [row.key, row]))
    } catch (error) {
      this.log.debug({ err: error }, 'settings cannot be read: the last ones stand')
    }
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer)
  }
}

function requireNumber(key: SettingKey, value: SettingContent): number {
  const { min, max } = settingKeys[key]
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw refused(key, `must be an integer from ${min} to ${max}`)
}

/** Each entry as it is kept, and once. */
function requireList(key: ListSettingKey, value: SettingContent): readonly string[] {
  const { parse, expects, most = MAX_ENTRIES }: ListSettingSpec = listSettingKeys[key]
  const entries = typeof value === 'number' ? [undefined] : value.map(parse)
  if (entries.length > most || entries.includes(undefined)) {
    throw refused(key, `must be a list of up to ${most} entries, each of them ${expects}`)
  }
  return [...new Set(entries.filter((entry) => entry !== undefined))]
}

const refused = (key: AnySettingKey, message: string): Invalid =>
  new Invalid(`${key} is out of bounds`, [{ field: 'value', message }])
