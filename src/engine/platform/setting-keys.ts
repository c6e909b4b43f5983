interface SettingSpec {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly meaning: string
  /** Told to agents in their welcome. */
  readonly agents?: true
}

const spec = <S extends SettingSpec>(s: S): SettingSpec => s

const DAY = 86_400_000

/** Every setting that lives in the database (E7), with its bounds. Times are milliseconds unless the key says otherwise. */
export const settingKeys = {
  'sessions.heartbeatMs': spec({
    default: 5_000,
    min: 200,
    max: 60_000,
    meaning: 'How often an agent says that it lives. At most a third of sessions.silenceMs.',
  }),
  'sessions.silenceMs': spec({
    default: 15_000,
    min: 1_000,
    max: 300_000,
    meaning: 'After this long without a word a host is NonResponsive. At least three times sessions.heartbeatMs.',
  }),
  'sessions.messagesPerSecond': spec({
    default: 2_000,
    min: 50,
    max: 1_000_000,
    meaning: 'Messages that an agent may send a second; what is above it is read later.',
  }),
  'sessions.ticketKeyLifeMs': spec({
    default: DAY,
    min: 600_000,
    max: 7 * DAY,
    meaning: 'After this long the key of TLS session tickets is replaced; agents then shake hands in full once.',
  }),
  'enrolment.failuresUntilLock': spec({
    default: 10,
    min: 2,
    max: 1_000,
    meaning: 'After so many join tokens that were none, an address is locked out.',
  }),
  'enrolment.lockMs': spec({
    default: 900_000,
    min: 1_000,
    max: DAY,
    meaning: 'How long such an address is locked out; failures further apart do not add up.',
  }),
  'commands.windowPerHost': spec({
    default: 64,
    min: 1,
    max: 1_000,
    meaning: 'Commands that a host may hold unfinished; the others wait in the queue.',
  }),
  'commands.retentionMs': spec({
    default: 30 * DAY,
    min: 60_000,
    max: 3_650 * DAY,
    meaning: 'How long ended commands are kept.',
  }),
  'events.retentionMs': spec({
    default: 30 * DAY,
    min: 60_000,
    max: 3_650 * DAY,
    meaning: 'How long events are kept.',
  }),
  'hosts.returnGraceMs': spec({
    default: 15_000,
    min: 0,
    max: 600_000,
    meaning:
      'How long hosts of a dead replica, or of a plane that was away, may take to come back before they are NonResponsive.',
  }),
  'hosts.certificateLifeMs': spec({
    default: 30 * DAY,
    min: 10_000,
    max: 825 * DAY,
    meaning: 'How long certificates of hosts are good for; agents renew theirs when two thirds of it are over.',
  }),
  'hosts.tombstoneRetentionMs': spec({
    default: 90 * DAY,
    min: DAY,
    max: 3_650 * DAY,
    meaning: 'How long confirmed tombstones are kept as evidence against hosts that come back from an old snapshot.',
  }),
  'hosts.quarantineLimit': spec({
    default: 3,
    min: 0,
    max: 10_000,
    meaning: 'With more quarantined things than this, nothing is removed from any host by itself.',
  }),
  'storage.probeIntervalMs': spec({
    default: 10_000,
    min: 200,
    max: 600_000,
    meaning: 'How often an agent looks whether a storage target still answers.',
    agents: true,
  }),
} as const

export type SettingKey = keyof typeof settingKeys

/** Settings that bound one another: `key` is at least `times` the value of `of`. */
export const settingRatios: readonly { readonly key: SettingKey; readonly times: number; readonly of: SettingKey }[] = [
  { key: 'sessions.silenceMs', times: 3, of: 'sessions.heartbeatMs' },
]
