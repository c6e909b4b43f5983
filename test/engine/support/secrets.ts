import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { hashOf, writeCredential } from '../../../src/engine/identity/secrets.js'
import {
  authorityKeys,
  type SealedColumn,
  sealedPlace,
  ticketKeys,
} from '../../../src/engine/platform/sealed-columns.js'
import { Sealer, sealingKeyOf } from '../../../src/engine/platform/sealing.js'
import { readJoinToken } from '../../../src/wire/join-token.js'
import { http } from '../../support/http.js'
import { apiSecrets } from './api-secrets.js'
import { canary, type Planting, type SecretField, secretOf } from './secret-field.js'

/**
 * Every secret that the plane is told or tells, by configuration or by its API. A key of the configuration that is marked
 * secret, and a property of a body that is named like one, has to be here (`canary.test.ts`).
 */
export const secretFields: readonly SecretField[] = [
  {
    name: 'sealingKeys',
    before: ({ env }) => {
      const key = randomBytes(32).toString('base64')
      env.KEELSON_SEALING_KEYS = key
      return key
    },
  },
  {
    name: 'the next sealing key',
    before: (at) => {
      at.nextSealingKey = randomBytes(32).toString('base64')
      return at.nextSealingKey
    },
  },
  {
    name: 'the key of the certificate authority',
    after: async (at) => {
      const [key] = await unsealed(at, authorityKeys)
      // a line from within: other keys begin alike
      return key?.toString().split('\n')[2] ?? ''
    },
  },
  {
    name: 'the key of TLS session tickets',
    after: async (at) => {
      const [key] = await unsealed(at, ticketKeys)
      return key?.toString('base64') ?? ''
    },
  },
  {
    name: 'databaseUrl',
    before: async ({ databaseUrl, env }) => {
      const [role, password] = [`canary_${randomBytes(6).toString('hex')}`, canary('database')]
      await asOwner(databaseUrl, `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD '${password}'`)
      const url = new URL(databaseUrl)
      Object.assign(url, { username: role, password })
      env.DATABASE_URL = url.href
      return password
    },
  },
  {
    name: 'bootstrapTokenFile',
    after: async ({ tokenFile }) => secretOf((await readFile(tokenFile, 'utf8')).trim()),
  },
  {
    name: 'an API token',
    after: async ({ databaseUrl }) => {
      const [id, secret] = [randomUUID(), randomBytes(32)]
      const sql = `INSERT INTO api_tokens (id, user_id, name, secret_hash) SELECT $1, id, 'canary', $2 FROM users LIMIT 1`
      await asOwner(databaseUrl, sql, [id, hashOf(secret)])
      return secretOf(writeCredential('kst', { id, secret }))
    },
  },
  {
    name: 'joinToken',
    after: async (at) => {
      at.env.KEELSON_JOIN_TOKEN = await makeJoinToken(at, 'canary')
      return at.env.KEELSON_JOIN_TOKEN
    },
  },
  {
    // what the agent sends
    name: 'enrolment.create.token',
    after: ({ env }) => secretOfJoinToken(env.KEELSON_JOIN_TOKEN ?? ''),
  },
  {
    name: 'joinTokens.create.token',
    after: async (at) => secretOfJoinToken(await makeJoinToken(at, 'canary-never')),
  },
  ...apiSecrets,
]

/** What the plane has sealed by itself. */
async function unsealed({ databaseUrl, env }: Planting, column: SealedColumn): Promise<Buffer[]> {
  const sealer = new Sealer(sealingKeyOf(Buffer.from(env.KEELSON_SEALING_KEYS ?? '', 'base64')))
  const rows = await asOwner(
    databaseUrl,
    `SELECT ${column.column} AS sealed, ${column.id[0]} AS id FROM ${column.table}`,
  )
  return rows.map(({ sealed, id }) => sealer.open(sealed, sealedPlace(column, [id])))
}

async function makeJoinToken({ env, tokenFile }: Planting, name: string): Promise<string> {
  const client = http(`http://${env.KEELSON_HTTP}`, { token: (await readFile(tokenFile, 'utf8')).trim() })
  return (await client.post('/api/v1/hosts/join-tokens', { name })).body.token
}

const secretOfJoinToken = (text: string): string => readJoinToken(text)?.secret ?? ''

/** A secret in the spellings in which it might be found. */
export function spellingsOf(secret: string): string[] {
  const asText = Buffer.from(secret)
  // a token's and a key's text is their bytes in base64
  const asBytes = /^([\w+/-]{43}=?|[\w+/-]{64})$/.test(secret) ? [Buffer.from(secret, 'base64url')] : []
  const all = [asText, ...asBytes].flatMap((bytes) => [
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    bytes.toString('hex'),
  ])
  return [...new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), ...all])]
}

export async function asOwner(databaseUrl: string, sql: string, values: unknown[] = []): Promise<pg.QueryResultRow[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return (await client.query(sql, values)).rows
  } finally {
    await client.end()
  }
}
