/** A column whose values are sealed, in the place `<table>.<column>/<id>`. */
export interface SealedColumn {
  readonly table: string
  readonly column: string
  /** The columns of the id; the place has their values with `/` between. */
  readonly id: readonly string[]
}

export const authorityKeys: SealedColumn = {
  table: 'certificate_authorities',
  column: 'sealed_key',
  id: ['fingerprint'],
}

export const ticketKeys: SealedColumn = { table: 'tls_ticket_keys', column: 'sealed', id: ['id'] }

export const clientSecrets: SealedColumn = {
  table: 'identity_providers',
  column: 'sealed_client_secret',
  id: ['id'],
}

/** Of storage connections, by the id on its host that each is registered under. */
export const connectionCredentials: SealedColumn = {
  table: 'storage_connections',
  column: 'sealed_credentials',
  id: ['host_id', 'connection_id'],
}

export const storageCredentials: SealedColumn = { table: 'storages', column: 'sealed_credentials', id: ['id'] }

/** Of what listeners show: TERMINATED_HTTPS. */
export const certificateKeys: SealedColumn = { table: 'certificates', column: 'sealed_key', id: ['id'] }

export const guestUserData: SealedColumn = { table: 'guests', column: 'sealed_user_data', id: ['id'] }

/** What a guest is told to do. */
export const guestTasks: SealedColumn = { table: 'guest_messages', column: 'sealed_task', id: ['id'] }

/** What is secret of a command's payload, until it has ended. */
export const commandSecrets: SealedColumn = { table: 'commands', column: 'sealed_secrets', id: ['id'] }

/** Replies that show a secret, as long as their Idempotency-Key is kept. */
export const keptReplies: SealedColumn = { table: 'idempotency_keys', column: 'sealed_body', id: ['scope', 'key'] }

/**
 * Every column that `Sealer.seal` writes to: what a rotation seals anew. A test holds it against the migrations and the
 * calls. Not here: `sealing_checks.sealed`, where each value belongs to its key.
 */
export const sealedColumns: readonly SealedColumn[] = [
  authorityKeys,
  certificateKeys,
  clientSecrets,
  commandSecrets,
  connectionCredentials,
  guestTasks,
  guestUserData,
  keptReplies,
  storageCredentials,
  ticketKeys,
]

/** An id may hold a `/` itself: it is escaped, so that no two rows have one place. */
export const sealedPlace = ({ table, column }: Pick<SealedColumn, 'table' | 'column'>, id: readonly string[]): string =>
  `${table}.${column}/${id.map(encodeURIComponent).join('/')}`

/** What is sealed for somebody else to keep: out of reach of a rotation, and worth nothing after `seconds`. */
export interface PassingSeal {
  readonly place: string
  readonly seconds: number
}

/** The cookie of a sign-in through a provider. Whose key goes away meanwhile begins that sign-in again. */
export const signInAttempt: PassingSeal = { place: 'cookies/keelson_oidc', seconds: 600 }

/** No more of them than these, and none for longer than an operator waits before a key goes away. */
export const passingSeals: readonly PassingSeal[] = [signInAttempt]
