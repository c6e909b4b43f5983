import { type StorageOperatingStatus, storageOperatingStatuses, subjectKey, subjectNoun } from '../../wire/commands.js'
import { HOST_CONNECTION, SIGHTED_CONNECTION } from '../../wire/own-things.js'
import type { Fault, Observation } from '../../wire/session.js'
import { clipped } from '../../wire/text.js'

/** What a host told, as a row of its table; `uri` is null where it told no more than a status. */
export interface ToldConnection {
  readonly managed: boolean
  readonly id: string
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
  readonly uri: string | null
  readonly target: string | null
  readonly options: Readonly<Record<string, string>>
  readonly mount: string | null
}

export const NOUNS = [HOST_CONNECTION, SIGHTED_CONNECTION] as const

const MAX_CHARS = 2048
const MAX_OPTIONS = 32

/** Only what the table is for, and no more than a row may hold, whatever an agent says. */
export function toldBy(item: Pick<Observation, 'subject' | 'status' | 'fault' | 'detail'>): ToldConnection {
  const { uri, target, options, mountPoint } = item.detail ?? {}
  const spelled = textOf(uri)
  return {
    managed: subjectNoun(item.subject) === HOST_CONNECTION,
    id: subjectKey(item.subject),
    status: storageOperatingStatuses.find((known) => known === item.status) ?? 'UNKNOWN',
    fault: item.fault ?? null,
    uri: spelled,
    target: textOf(target) ?? spelled,
    options: optionsOf(options),
    mount: textOf(mountPoint),
  }
}

/** As much of a text as a row may hold; null: it is none. */
export const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? clipped(value, MAX_CHARS) : null

function optionsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  const texts = Object.entries(value).flatMap(([name, text]) => {
    return typeof text === 'string' ? [[clipped(name, 64), clipped(text, 1024)] as const] : []
  })
  return Object.fromEntries(texts.slice(0, MAX_OPTIONS))
}
