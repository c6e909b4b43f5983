import { isUUID } from 'class-validator'
import { parseNetwork } from '../../config/network.js'

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
  'audit.retentionMs': spec({
    default: 365 * DAY,
    min: DAY,
    max: 3_650 * DAY,
    meaning: 'How long rows of the audit log are kept.',
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
  'limits.callsPerMinute': spec({
    default: 6_000,
    min: 60,
    max: 10_000_000,
    meaning: 'Calls that a token, or a user who signed in, may make in a minute, at each replica.',
  }),
  'limits.anonymousCallsPerMinute': spec({
    default: 600,
    min: 10,
    max: 10_000_000,
    meaning: 'Calls that an address may make in a minute without signing in, at each replica.',
  }),
  'limits.failuresPerMinute': spec({
    default: 300,
    min: 10,
    max: 10_000_000,
    meaning:
      'Calls with credentials that are not good that an address may make in a minute, at each replica; then only credentials that were good before are looked at.',
  }),
  'limits.signInFailures': spec({
    default: 20,
    min: 1,
    max: 10_000,
    meaning: 'Attempts to sign in that may fail from an address, at all replicas together, before it is locked out.',
  }),
  'limits.enrolmentFailures': spec({
    default: 20,
    min: 1,
    max: 10_000,
    meaning: 'Join tokens that may be none, from an address, at all replicas together, before it is locked out.',
  }),
  'limits.failureWindowMs': spec({
    default: 15 * 60_000,
    min: 1_000,
    max: DAY,
    meaning: 'How long failed attempts to sign in and to enrol are counted together.',
  }),
  'limits.lockoutMs': spec({
    default: 60_000,
    min: 1_000,
    max: DAY,
    meaning: 'How long the first lockout lasts; each one after it twice as long. At most limits.lockoutMaxMs.',
  }),
  'limits.lockoutMaxMs': spec({
    default: 60 * 60_000,
    min: 1_000,
    max: 7 * DAY,
    meaning: 'How long a lockout lasts at the most, and how long lockouts are remembered.',
  }),
  'identity.sessionIdleMs': spec({
    default: DAY / 2,
    min: 300_000,
    max: 90 * DAY,
    meaning: 'How long a web session lasts that nobody uses.',
  }),
  'identity.sessionLifetimeMs': spec({
    default: 7 * DAY,
    min: 300_000,
    max: 365 * DAY,
    meaning: 'How long a web session lasts, however much it is used.',
  }),
  'identity.providerSessionLifetimeMs': spec({
    default: DAY / 2,
    min: 300_000,
    max: 365 * DAY,
    meaning: 'How long a web session lasts that an identity provider opened, however much it is used.',
  }),
  'identity.providerRolesMs': spec({
    default: 7 * DAY,
    min: 300_000,
    max: 365 * DAY,
    meaning:
      "How long after signing in the roles last that a provider's groups gave: what tokens may do ends with them.",
  }),
  'identity.tokenRetentionMs': spec({
    default: 30 * DAY,
    min: 60_000,
    max: 3_650 * DAY,
    meaning: 'How long API tokens are shown that have expired or were revoked.',
  }),
  'identity.lockoutFailures': spec({
    default: 5,
    min: 1,
    max: 1_000,
    meaning: 'With so many failed sign-ins in a row a user is locked, wherever they come from.',
  }),
  'identity.lockoutMs': spec({
    default: 30_000,
    min: 1_000,
    max: 3_600_000,
    meaning: 'How long the first lock of a user lasts; each failure after it doubles the next one, up to an hour.',
  }),
  'storage.waits': spec({
    default: 2_000,
    min: 1,
    max: 10_000,
    meaning: 'Calls that may wait for a storage connection at once, at each replica.',
  }),
  'storage.waitsPerCaller': spec({
    default: 1_000,
    min: 1,
    max: 10_000,
    meaning:
      'Calls of one token, or of one user who signed in, that may wait for a storage connection at once, at each replica.',
  }),
  'balancing.deadlineMs': spec({
    default: 60_000,
    min: 1_000,
    max: 3_600_000,
    meaning: 'How long the device of a load balancer may take for a change of it; then the load balancer is in ERROR.',
  }),
  'storage.probeIntervalMs': spec({
    default: 10_000,
    min: 200,
    max: 600_000,
    meaning: 'How often an agent looks whether a storage target still answers.',
    agents: true,
  }),
  'storage.probeTimeoutMs': spec({
    default: 3_000,
    min: 200,
    max: 600_000,
    meaning: 'A storage target that takes longer to list its first entry is STUCK.',
    agents: true,
  }),
  'balancing.observeIntervalMs': spec({
    default: 3_000,
    min: 200,
    max: 600_000,
    meaning: 'How often an agent looks at the members, listeners and statistics of each of its load balancers.',
    agents: true,
  }),
  'balancing.selfFenceMs': spec({
    default: 20_000,
    min: 1_000,
    max: 600_000,
    meaning:
      'An agent that has had no session for so long takes the VIPs of its load balancers down. At most half of balancing.moveGraceMs.',
    agents: true,
  }),
  'guests.vcpusPerCpu': spec({
    default: 4,
    min: 1,
    max: 64,
    meaning: 'How many vCPUs of guests a host takes for each of its CPUs.',
  }),
  'guests.reservedMemoryMiB': spec({
    default: 512,
    min: 0,
    max: 1_048_576,
    meaning: 'MiB of memory that each host keeps for itself; all the rest may be promised to guests.',
  }),
  'balancing.moveGraceMs': spec({
    default: 60_000,
    min: 2_000,
    max: 3_600_000,
    meaning:
      'The load balancers of a host that has been NonResponsive for so long are moved to others. At least twice balancing.selfFenceMs.',
  }),
} as const

export type SettingKey = keyof typeof settingKeys

export interface ListSettingSpec {
  readonly default: readonly string[]
  readonly meaning: string
  readonly expects: string
  /** The entry as it is kept; undefined where it is none. */
  readonly parse: (entry: string) => string | undefined
  /** Entries, if less than `MAX_ENTRIES`. */
  readonly most?: number
}

const list = (spec: ListSettingSpec): ListSettingSpec => spec

export const MAX_ENTRIES = 64

/** Settings that are lists of texts, of up to `MAX_ENTRIES` entries. */
export const listSettingKeys = {
  'outbound.networks': list({
    default: ['public'],
    meaning:
      'Where the engine may call for webhooks and images that users name: `public` for all public addresses, and ranges (10.0.0.0/8) beside them. Nothing else is called, loopback and link-local addresses among it.',
    expects: 'public, or an address or a CIDR range (10.0.0.0/8)',
    parse: (entry) => (entry === 'public' ? entry : parseNetwork(entry)?.text),
  }),
  'octavia.anonymousProject': list({
    default: [],
    meaning:
      'The project in which callers of the Octavia API act who show no credentials, and ask from this machine itself: as its administrators, who may keep flavors, availability zones and limits as well. Empty: there are none.',
    expects: 'the id of a project',
    parse: (entry) => (isUUID(entry) ? entry.toLowerCase() : undefined),
    most: 1,
  }),
} as const

export type ListSettingKey = keyof typeof listSettingKeys
export type AnySettingKey = SettingKey | ListSettingKey
export type SettingContent = number | readonly string[]

export const isListSetting = (key: string): key is ListSettingKey => Object.hasOwn(listSettingKeys, key)

/** Settings that bound one another: `key` is at least `times` the value of `of`. */
export const settingRatios: readonly { readonly key: SettingKey; readonly times: number; readonly of: SettingKey }[] = [
  { key: 'sessions.silenceMs', times: 3, of: 'sessions.heartbeatMs' },
  { key: 'limits.lockoutMaxMs', times: 1, of: 'limits.lockoutMs' },
  // an address must be down at one host before it comes up at another
  { key: 'balancing.moveGraceMs', times: 2, of: 'balancing.selfFenceMs' },
]
