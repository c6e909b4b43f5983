import { ExitError, exitCodes } from '../../config/exit.js'
import type { Logger } from '../../log/logger.js'
import type { Database, Tx } from '../platform/database.js'
import type { Notifications } from '../platform/notifications.js'
import { authorityKeys, sealedPlace } from '../platform/sealed-columns.js'
import type { Sealer } from '../platform/sealing.js'
import type { FileAuthority } from './authority-files.js'
import { factsOf, makeAuthority, type Signer, signerOf } from './certificates.js'

interface AuthorityRow {
  readonly fingerprint: string
  readonly certificate: string
  readonly sealed_key: string | null
  readonly not_after: Date
}

/** What tells the other replicas that an authority was added. */
export const AUTHORITIES_CHANNEL = 'keelson_authorities'

export interface AuthorityParts {
  readonly database: Database
  readonly sealer: Sealer
  readonly notifications: Pick<Notifications, 'notify'>
}

/** One that ends sooner than this is joined by a new one at the next start. */
const ENOUGH_LIFE_MS = 365 * 86_400_000

/** One that ends sooner signs for no replica any more: every host has been told of the next by then. */
const LASTING_MS = 60 * 86_400_000

const placeOf = (fingerprint: string): string => sealedPlace(authorityKeys, [fingerprint])

/**
 * The certificate authorities of the plane. Trust is a list. The newest signs certificates of hosts, the oldest whose key
 * is at hand those of replicas: every host knows that one, also while a newer one is still being told.
 */
export class Authorities {
  private rows: readonly AuthorityRow[] = []
  private signers: readonly Signer[] = []

  private constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
    private readonly file: FileAuthority | null,
  ) {}

  /** Makes the first one where there is none, whichever replica comes first. @throws ExitError, SealBroken */
  static async open(
    { database, sealer, notifications }: AuthorityParts,
    file: FileAuthority | null,
    logger: Pick<Logger, 'info'>,
  ): Promise<Authorities> {
    const authorities = new Authorities(database, sealer, file)
    const added = await database.transaction(async (tx) => {
      await tx.query('LOCK TABLE certificate_authorities IN SHARE ROW EXCLUSIVE MODE')
      return file ? authorities.record(tx, file) : authorities.ensure(tx)
    })
    if (added.length > 0) {
      logger.info({ fingerprints: added }, 'certificate authorities were added: the newest signs for hosts from now on')
      // hosts that it signs for may come to any replica
      notifications.notify(AUTHORITIES_CHANNEL, 'added')
    }
    await authorities.reload()
    return authorities
  }

  /** In PEM, newest first. */
  get trusted(): readonly string[] {
    return this.rows.map(({ certificate }) => certificate)
  }

  get fingerprints(): readonly string[] {
    return this.rows.map(({ fingerprint }) => fingerprint)
  }

  get hostSigner(): Signer {
    return this.file?.signer ?? this.require(this.signers[0])
  }

  get engineSigner(): Signer {
    const lasting = this.signers.filter(({ certificate }) => certificate.notAfter.getTime() - Date.now() > LASTING_MS)
    return lasting.at(-1) ?? this.signers[0] ?? this.require(this.file?.signer)
  }

  /** @returns whether the list has changed */
  async reload(): Promise<boolean> {
    const rows = await this.database.query<AuthorityRow>(
      'identity_authorities',
      `SELECT fingerprint, certificate, sealed_key, not_after FROM certificate_authorities
       WHERE not_after > now() ORDER BY created_at DESC, fingerprint`,
    )
    const now = rows.map(({ fingerprint }) => fingerprint).join()
    if (now === this.fingerprints.join()) return false
    const own = rows.filter(({ sealed_key: sealed }) => sealed !== null)
    this.signers = await Promise.all(own.map((row) => this.unseal(row)))
    this.rows = rows
    return true
  }

  private unseal({ certificate, sealed_key: sealed, fingerprint }: AuthorityRow): Promise<Signer> {
    return signerOf({ certificate, key: this.sealer.openText(sealed ?? '', placeOf(fingerprint)) })
  }

  /** What a file trusts, every replica trusts. @returns the fingerprints of those that are new, the newest last */
  private async record(tx: Tx, { trusted }: FileAuthority): Promise<string[]> {
    const added: string[] = []
    // the last first: the one that signs is the newest
    for (const { fingerprint, certificate, notAfter } of [...trusted].reverse()) {
      const rows: object[] = await tx.query(
        `INSERT INTO certificate_authorities (fingerprint, certificate, not_after) VALUES ($1, $2, $3)
         ON CONFLICT (fingerprint) DO NOTHING RETURNING fingerprint`,
        [fingerprint, certificate, notAfter],
      )
      if (rows.length > 0) added.push(fingerprint)
    }
    return added
  }

  /** @returns the fingerprint of the one that was made, if any */
  private async ensure(tx: Tx): Promise<string[]> {
    const rows: AuthorityRow[] = await tx.query(
      'SELECT fingerprint, sealed_key, not_after FROM certificate_authorities WHERE not_after > now() ORDER BY created_at DESC',
    )
    if (rows[0]?.sealed_key === null) {
      throw new ExitError(
        exitCodes.configuration,
        'the certificate authority of this plane is outside: give every replica its caCertFile and caKeyFile ' +
          '(KEELSON_CA_CERT_FILE, KEELSON_CA_KEY_FILE)',
      )
    }
    if (rows[0] && rows[0].not_after.getTime() - Date.now() > ENOUGH_LIFE_MS) return []
    const { key, certificate } = await makeAuthority()
    const { fingerprint, notAfter } = factsOf(certificate)
    await tx.query(
      'INSERT INTO certificate_authorities (fingerprint, certificate, sealed_key, not_after) VALUES ($1, $2, $3, $4)',
      [fingerprint, certificate, this.sealer.seal(key, placeOf(fingerprint)), notAfter],
    )
    return [fingerprint]
  }

  private require(signer: Signer | undefined): Signer {
    if (!signer) throw new Error('no certificate authority is at hand')
    return signer
  }
}
