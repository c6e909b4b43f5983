import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { readJoinToken, writeJoinToken } from '../../wire/join-token.js'
import { Addresses } from '../platform/addresses.js'
import { Database, type Tx } from '../platform/database.js'
import { Forbidden, NotFound } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { Authorities } from './authorities.js'
import type { JoinTokenCreate, JoinTokenQuery } from './join-token.dto.js'
import { JoinTokenRow } from './join-token.entity.js'
import { hashOf, isSecretOf, newSecret } from './secrets.js'

const listing: Listing<JoinTokenRow> = {
  entity: JoinTokenRow,
  sortable: ['createdAt', 'expiresAt'],
  defaultSort: '-createdAt',
}

/** What makes machines hosts: each good for so many of them, for so long. */
@Injectable()
export class JoinTokens {
  constructor(
    private readonly database: Database,
    private readonly authorities: Authorities,
    private readonly addresses: Addresses,
  ) {}

  list(query: JoinTokenQuery): Promise<Page<JoinTokenRow>> {
    return page(this.database.dataSource.manager, listing, query)
  }

  /** @returns the row, and the token's text: it is shown now or never */
  async create({ name = null, lifeMs, uses, replace }: Omit<JoinTokenCreate, 'name'> & { name?: string | null }) {
    const secret = newSecret()
    const id = randomUUID()
    const row = await this.database.transaction(async (tx) => {
      await tx.query(
        `INSERT INTO join_tokens (id, secret_hash, name, uses, replace, expires_at)
         VALUES ($1, $2, $3, $4, $5, now() + $6::float8 * interval '1 millisecond')`,
        [id, hashOf(secret), name, uses, replace, lifeMs],
      )
      return tx.findOneByOrFail(JoinTokenRow, { id })
    })
    const { urls, certificate } = this.addresses.rest
    const token = writeJoinToken({
      id,
      secret: secret.toString('base64url'),
      authorities: this.authorities.fingerprints,
      restCertificate: certificate,
      rest: urls,
      tcp: this.addresses.all(),
    })
    return { row, token }
  }

  async delete(id: string): Promise<void> {
    const { affected } = await this.database.dataSource.manager.delete(JoinTokenRow, { id })
    if (!affected) throw new NotFound(`join token ${id}`)
  }

  /** The row that the text is the token of; null for what was never one, or is none any more. */
  async find(text: string): Promise<JoinTokenRow | null> {
    const token = readJoinToken(text)
    const row = token && (await this.database.dataSource.manager.findOneBy(JoinTokenRow, { id: token.id }))
    return row && isSecretOf(Buffer.from(token.secret, 'base64url'), row.secretHash) ? row : null
  }

  /** One use less, whoever else tries at the same moment. @throws Forbidden when none is left, or its time is over */
  async consume(tx: Tx, token: JoinTokenRow): Promise<void> {
    const [rows]: [object[]] = await tx.query(
      `UPDATE join_tokens SET used = used + 1, last_used_at = now()
       WHERE id = $1 AND used < uses AND expires_at > clock_timestamp() RETURNING id`,
      [token.id],
    )
    if (rows.length > 0) return
    await this.requireGood(token, tx)
    throw used()
  }

  /** @throws Forbidden when no use is left, or its time is over */
  async requireGood({ id }: JoinTokenRow, tx: Tx = this.database.dataSource.manager): Promise<void> {
    const [row] = await tx.query(
      'SELECT used < uses AS left, expires_at > clock_timestamp() AS live FROM join_tokens WHERE id = $1',
      [id],
    )
    if (!row?.left) throw used()
    if (!row.live) throw new Forbidden('the join token has expired', 'join-token-expired')
  }

  async removeOld(): Promise<void> {
    await this.database.dataSource.query(`DELETE FROM join_tokens WHERE expires_at < now() - interval '7 days'`)
  }
}

const used = (): Forbidden => new Forbidden('the join token was used already', 'join-token-used')
