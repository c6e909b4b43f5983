import { randomBytes } from 'node:crypto'

/** Where a plane is made ready, and what of it is there. */
export interface Planting {
  /** Of the database that the plane will have; its user may do everything. */
  readonly databaseUrl: string
  /** Environment of the engine and its agent. */
  readonly env: Record<string, string>
  /** Where the engine writes an administrator's token. */
  readonly tokenFile: string
  /** What the secrets are sealed with anew, once it is there. */
  nextSealingKey: string
}

export interface SecretField {
  /** A key of the configuration, or `<operation>.<property>` of the API. */
  readonly name: string
  /** Plants a canary before the engine starts, or once it serves. @returns the text that must be found nowhere */
  readonly before?: (at: Planting) => string | Promise<string>
  readonly after?: (at: Planting) => string | Promise<string>
}

export const canary = (name: string): string => `canary-${name}-${randomBytes(12).toString('hex')}`

/** What of a token must stay unknown: its id may be told. */
export const secretOf = (token: string): string => token.split('_').slice(2).join('_')
