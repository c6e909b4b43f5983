import { Injectable } from '@nestjs/common'
import { prepared, type Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'
import type { BalancingDevice } from './balancing-device.entity.js'
import { rowOf } from './part-tables.js'
import { type ChosenPlace, choosePlace, type OccupiedPlace, type PlaceAsked, type PlacementHost } from './placement.js'

interface Sight {
  readonly hosts: readonly PlacementHost[]
  readonly devices: readonly OccupiedPlace[]
  /** Placed by this replica since, by device. */
  readonly since: Map<string, number>
  readonly seenMs: number
}

export interface PlacedDevice {
  readonly device: BalancingDevice
  readonly provider: ChosenPlace['provider']
}

const FRESH_MS = 1_000

/**
 * Where new balancers go. The hosts are looked at once a second, however many are asked for: an old look may cost evenness, and
 * never places one where none may be, as the host is asked for again in the transaction that places it.
 */
@Injectable()
export class BalancerPlacement {
  private sight: Sight | null = null

  /** @throws Conflict `no-room` */
  async place(tx: Tx, asked: PlaceAsked): Promise<PlacedDevice> {
    const first = await this.attempt(tx, asked).catch(unlessRefused)
    if (first) return first
    // what is refused by an old look may be allowed by now, and the other way round
    for (let more = 2; more > 0; more--) {
      this.sight = null
      const found = await this.attempt(tx, asked)
      if (found) return found
    }
    throw new Conflict('the hosts for it left service while it was placed: try again', 'no-room')
  }

  /** For many at once. @returns for each where it goes; null: it has to be placed by itself, which tells why */
  async placeAll(tx: Tx, asked: readonly PlaceAsked[]): Promise<(PlacedDevice | null)[]> {
    let places = takeAll(await this.look(tx), asked)
    if (places.includes(null)) {
      this.sight = null
      places = takeAll(await this.look(tx), asked)
    }
    const devices = await requireDevices(
      tx,
      places.filter((place) => place !== null),
    )
    return places.map((place) => placedOn(place, devices))
  }

  private async attempt(tx: Tx, asked: PlaceAsked): Promise<PlacedDevice | null> {
    const place = take(await this.look(tx), asked)
    return placedOn(place, await requireDevices(tx, [place]))
  }

  /** By the connection of the transaction: one that has to wait for another would be waited for by those who have them all. */
  private async look(tx: Tx): Promise<Sight> {
    if (!this.sight || performance.now() - this.sight.seenMs > FRESH_MS) this.sight = await read(tx)
    return this.sight
  }
}

async function read(tx: Tx): Promise<Sight> {
  const seenMs = performance.now()
  const [row] = await prepared<{ hosts: PlacementHost[] | null; devices: OccupiedPlace[] | null }>(
    tx,
    'balancing_places',
    `SELECT (SELECT jsonb_agg(jsonb_build_object('id', h.id, 'name', h.name, 'status', h.status, 'kinds', h.kinds,
              'capabilities', h.capabilities, 'labels', h.labels) ORDER BY h.name) FROM hosts h) AS hosts,
       (SELECT jsonb_agg(jsonb_build_object('kind', d.kind, 'name', d.name, 'hostId', d.host_id,
              'balancers', (SELECT count(*) FROM load_balancers b WHERE b.device_id = d.id))) FROM balancing_devices d) AS devices`,
  )
  return { hosts: row?.hosts ?? [], devices: row?.devices ?? [], since: new Map(), seenMs }
}

/** What is placed counts for whoever comes next. */
function take(sight: Sight, asked: PlaceAsked): ChosenPlace {
  const devices = sight.devices.map((one) => ({
    ...one,
    balancers: one.balancers + (sight.since.get(keyOf(one)) ?? 0),
  }))
  const place = choosePlace(sight.hosts, [...devices, ...unknownYet(sight)], asked)
  sight.since.set(keyOf(place), (sight.since.get(keyOf(place)) ?? 0) + 1)
  return place
}

const takeAll = (sight: Sight, asked: readonly PlaceAsked[]): (ChosenPlace | null)[] =>
  asked.map((one) => {
    try {
      return take(sight, one)
    } catch (error) {
      return unlessRefused(error)
    }
  })

function unlessRefused(error: unknown): null {
  if (error instanceof Conflict) return null
  throw error
}

const keyOf = ({ kind, name }: Pick<OccupiedPlace, 'kind' | 'name'>): string => `${kind} ${name}`

/** Devices that were made since the look. */
function unknownYet({ hosts, devices, since }: Sight): OccupiedPlace[] {
  const known = new Set(devices.map(keyOf))
  return hosts.flatMap(({ id }) => {
    const place = { kind: 'host' as const, name: id, hostId: id }
    return known.has(keyOf(place)) ? [] : [{ ...place, balancers: since.get(keyOf(place)) ?? 0 }]
  })
}

/**
 * By their keys, made on first use. Those are missing whose host is not in service any more, or not in charge of them; the others'
 * stay in service until the transaction ends, so that who takes one out of it sees what was placed there.
 */
async function requireDevices(tx: Tx, places: readonly ChosenPlace[]): Promise<ReadonlyMap<string, BalancingDevice>> {
  const distinct = [...new Map(places.map((place) => [keyOf(place), place])).values()]
  const rows = await prepared<{ device: Record<string, unknown> }>(
    tx,
    'balancing_devices',
    `WITH asked AS (
       SELECT a.* FROM jsonb_to_recordset($1::jsonb) AS a(kind text, name text, "hostId" uuid)
       JOIN hosts h ON h.id = a."hostId" AND h.status = 'Up'
       ORDER BY h.id FOR SHARE OF h
     ), made AS (
       INSERT INTO balancing_devices (kind, name, host_id)
       SELECT kind, name, "hostId" FROM asked a
       WHERE NOT EXISTS (SELECT FROM balancing_devices d WHERE d.kind = a.kind AND d.name = a.name)
       ORDER BY kind, name
       ON CONFLICT (kind, name) DO NOTHING RETURNING *
     )
     SELECT to_jsonb(d) AS device FROM made d
     UNION ALL
     SELECT to_jsonb(d) FROM asked a
     JOIN balancing_devices d ON d.kind = a.kind AND d.name = a.name AND d.host_id = a."hostId"`,
    [JSON.stringify(distinct)],
  )
  const devices = rows.map((row) => rowOf<BalancingDevice>(row.device))
  return new Map(devices.map((device) => [keyOf(device), device]))
}

function placedOn(place: ChosenPlace | null, devices: ReadonlyMap<string, BalancingDevice>): PlacedDevice | null {
  const device = place && devices.get(keyOf(place))
  return place && device ? { device, provider: place.provider } : null
}
