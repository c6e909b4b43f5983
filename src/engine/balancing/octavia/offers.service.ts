import { Injectable } from '@nestjs/common'
import type { EntityTarget } from 'typeorm'
import { type Provider, providers } from '../../../wire/balancing/providers.js'
import { type Caller, mayInPlane } from '../../platform/caller.js'
import { Database, sqlState, type Tx } from '../../platform/database.js'
import { Conflict } from '../../platform/errors.js'
import { AvailabilityZone, AvailabilityZoneProfile, Flavor, FlavorProfile } from '../flavor.entity.js'
import { type Input, type InputTable, readInput, refused } from './input.js'
import { availabilityZoneInput, availabilityZoneProfileInput, flavorInput, flavorProfileInput } from './inputs.js'
import { requireKeeper } from './keeper.js'
import { fieldsOf } from './list-query.js'
import { isUuid } from './list-sql.js'
import { type Asked, missing, OctaviaReading, picked } from './reading.service.js'
import type { Resource } from './resource.js'
import { availabilityZoneProfiles, availabilityZones, flavorProfiles, flavors } from './resources.js'

interface Offer {
  readonly resource: Resource
  readonly input: InputTable
  readonly entity: EntityTarget<{ id: string }>
  /** What must not go, or be another, while a row refers to it: how many do. `$1` is its id. */
  readonly users: string
  /** Of what has a profile. */
  readonly profiles?: { readonly table: string; readonly noun: string; readonly attribute: string }
}

export type OfferKind = 'flavors' | 'flavorProfiles' | 'availabilityZones' | 'availabilityZoneProfiles'

const offers: Readonly<Record<OfferKind, Offer>> = {
  flavors: {
    resource: flavors,
    input: flavorInput,
    entity: Flavor,
    users: 'SELECT FROM load_balancers WHERE flavor_id = $1 LIMIT 1',
    profiles: { table: 'flavor_profiles', noun: 'Flavor profile', attribute: 'flavor_profile_id' },
  },
  flavorProfiles: {
    resource: flavorProfiles,
    input: flavorProfileInput,
    entity: FlavorProfile,
    users: 'SELECT FROM flavors WHERE profile_id = $1 LIMIT 1',
  },
  availabilityZones: {
    resource: availabilityZones,
    input: availabilityZoneInput,
    entity: AvailabilityZone,
    users:
      'SELECT FROM load_balancers WHERE availability_zone = (SELECT name FROM availability_zones WHERE id = $1) LIMIT 1',
    profiles: {
      table: 'availability_zone_profiles',
      noun: 'Availability zone profile',
      attribute: 'availability_zone_profile_id',
    },
  },
  availabilityZoneProfiles: {
    resource: availabilityZoneProfiles,
    input: availabilityZoneProfileInput,
    entity: AvailabilityZoneProfile,
    users: 'SELECT FROM availability_zones WHERE profile_id = $1 LIMIT 1',
  },
}

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'
const MOST_NAME = 255
const MOST_DESCRIPTION = 255
const MOST_CONTENT = 4_096

/** What operators offer under a name: everybody sees flavors and zones, administrators keep them and their profiles. */
@Injectable()
export class OctaviaOffers {
  constructor(
    private readonly database: Database,
    private readonly reading: OctaviaReading,
  ) {}

  async list(caller: Caller, kind: OfferKind, asked: Asked) {
    requireMaySee(caller, kind)
    return this.reading.list(caller, offers[kind].resource, asked)
  }

  async get(caller: Caller, kind: OfferKind, key: string, { query }: Asked) {
    requireMaySee(caller, kind)
    const { resource } = offers[kind]
    return { [resource.one]: picked(await this.reading.show(caller, resource, key), fieldsOf(query)) }
  }

  async create(caller: Caller, kind: OfferKind, body: unknown) {
    requireKeeper(caller)
    const { resource, input, entity, profiles } = offers[kind]
    const row = rowOf(readInput(input, resource.one, body, 'create'))
    const key = await this.named(resource, row, async (tx) => {
      if (profiles) await requireProfile(tx, profiles, String(row.profileId))
      const { identifiers } = await tx.insert(entity, row)
      return resource.key === 'name' ? String(row.name) : String(identifiers[0]?.id)
    })
    return { [resource.one]: await this.reading.show(caller, resource, key) }
  }

  async update(caller: Caller, kind: OfferKind, key: string, body: unknown) {
    requireKeeper(caller)
    const { resource, input, entity, users, profiles } = offers[kind]
    const row = rowOf(readInput(input, resource.one, body, 'update'))
    await this.named(resource, row, async (tx) => {
      const id = await locked(tx, resource, key)
      // a profile in use is what things were made by: only its name is free
      if (!profiles && Object.keys(row).some((name) => name !== 'name')) await requireUnused(tx, resource, users, id)
      if (Object.keys(row).length > 0) await tx.update(entity, { id }, row)
      return key
    })
    return { [resource.one]: await this.reading.show(caller, resource, key) }
  }

  async delete(caller: Caller, kind: OfferKind, key: string): Promise<void> {
    requireKeeper(caller)
    const { resource, entity, users } = offers[kind]
    await this.named(resource, {}, async (tx) => {
      const id = await locked(tx, resource, key)
      await requireUnused(tx, resource, users, id)
      await tx.delete(entity, { id })
      return key
    })
  }

  private async named(resource: Resource, { name }: Input, work: (tx: Tx) => Promise<string>): Promise<string> {
    try {
      return await this.database.transaction(work)
    } catch (error) {
      if (sqlState(error) === FOREIGN_KEY_VIOLATION) throw inUse(resource)
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error
      throw new Conflict(`A ${resource.noun.toLowerCase()} of ${String(name)} already exists.`, 'name-taken')
    }
  }
}

function requireMaySee(caller: Caller, kind: OfferKind): void {
  const isProfile = kind === 'flavorProfiles' || kind === 'availabilityZoneProfiles'
  if (isProfile && !mayInPlane(caller, 'viewer')) requireKeeper(caller)
}

/** As it is stored: a profile's content is JSON in a text, and its provider one of ours. */
function rowOf(given: Input): Input {
  const input = withDefaults(given)
  const { name, provider, content, description } = input
  if (typeof name === 'string' && (name === '' || name.length > MOST_NAME))
    throw refused('name', `It has 1 to ${MOST_NAME} characters`)
  if (provider !== undefined && !providers.includes(provider as Provider))
    throw refused('provider_name', `Provider ${JSON.stringify(provider)} is not enabled`)
  if (typeof description === 'string' && description.length > MOST_DESCRIPTION)
    throw refused('description', `It has up to ${MOST_DESCRIPTION} characters`)
  return content === undefined ? input : { ...input, content: parsed(content) }
}

/** Null puts back what it is where nothing is said. */
const withDefaults = (given: Input): Input => ({
  ...given,
  ...(given.description === null ? { description: '' } : {}),
  ...(given.enabled === null ? { enabled: true } : {}),
})

function parsed(content: unknown): object {
  if (String(content).length > MOST_CONTENT)
    throw refused('', `The data of a profile has up to ${MOST_CONTENT} characters`)
  try {
    const value: unknown = JSON.parse(String(content))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // told below
  }
  throw refused('', 'The data of a profile is a JSON object, as a text')
}

async function requireProfile(
  tx: Tx,
  { table, noun, attribute }: NonNullable<Offer['profiles']>,
  id: string,
): Promise<void> {
  const rows: unknown[] = isUuid(id) ? await tx.query(`SELECT FROM ${table} WHERE id = $1 FOR KEY SHARE`, [id]) : []
  if (rows.length === 0) throw refused(attribute, `${noun} ${id} not found`)
}

async function locked(tx: Tx, { table, key, noun }: Resource, value: string): Promise<string> {
  const isNone = key === 'id' && !isUuid(value)
  const sql = `SELECT id FROM ${table} WHERE ${key} = $1 FOR UPDATE`
  const [row]: { id: string }[] = isNone ? [] : await tx.query(sql, [value])
  if (!row) throw missing(noun, value)
  return row.id
}

async function requireUnused(tx: Tx, resource: Resource, users: string, id: string): Promise<void> {
  const rows: unknown[] = await tx.query(users, [id])
  if (rows.length > 0) throw inUse(resource)
}

const inUse = ({ noun }: Resource): Conflict => new Conflict(`${noun} is in use and cannot be modified.`, 'in-use')
