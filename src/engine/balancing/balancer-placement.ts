import { Injectable } from '@nestjs/common'
import { Database, prepared, type Tx } from '../platform/database.js'
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
  private sight: Promise<Sight> | null = null

  constructor(private readonly database: Database) {}

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

  private async attempt(tx: Tx, asked: PlaceAsked): Promise<PlacedDevice | null> {
    const sight = await this.look()
    const devices = sight.devices.map((one) => ({
      ...one,
      balancers: one.balancers + (sight.since.get(keyOf(one)) ?? 0),
    }))
    const place = choosePlace(sight.hosts, [...devices, ...unknownYet(sight)], asked)
    const device = await requireDevice(tx, place)
    if (!device) return null
    sight.since.set(keyOf(place), (sight.since.get(keyOf(place)) ?? 0) + 1)
    return { device, provider: place.provider }
  }

  private async look(): Promise<Sight> {
    const last = this.sight && (await this.sight.catch(() => null))
    if (last && performance.now() - last.seenMs < FRESH_MS) return last
    this.sight = this.read()
    return this.sight
  }

  private async read(): Promise<Sight> {
    const seenMs = performance.now()
    const [row] = await this.database.query<{ hosts: PlacementHost[] | null; devices: OccupiedPlace[] | null }>(
      'balancing_places',
      `SELECT (SELECT jsonb_agg(jsonb_build_object('id', h.id, 'name', h.name, 'status', h.status, 'kinds', h.kinds,
                'capabilities', h.capabilities, 'labels', h.labels) ORDER BY h.name) FROM hosts h) AS hosts,
         (SELECT jsonb_agg(jsonb_build_object('kind', d.kind, 'name', d.name, 'hostId', d.host_id,
                'balancers', (SELECT count(*) FROM load_balancers b WHERE b.device_id = d.id))) FROM balancing_devices d) AS devices`,
    )
    return { hosts: row?.hosts ?? [], devices: row?.devices ?? [], since: new Map(), seenMs }
  }
}

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

/** The device, made on first use. Null: its host is not in service any more, or another is in charge of it. */
async function requireDevice(tx: Tx, { kind, name, hostId }: ChosenPlace): Promise<BalancingDevice | null> {
  const [row] = await prepared<{ device: Record<string, unknown> }>(
    tx,
    'balancing_device',
    `WITH host AS (
       SELECT id FROM hosts WHERE id = $3 AND status = 'Up'
     ), made AS (
       INSERT INTO balancing_devices (kind, name, host_id)
       SELECT $1, $2, id FROM host
       WHERE NOT EXISTS (SELECT FROM balancing_devices WHERE kind = $1 AND name = $2)
       ON CONFLICT (kind, name) DO NOTHING RETURNING *
     )
     SELECT to_jsonb(d) AS device FROM made d
     UNION ALL
     SELECT to_jsonb(d) FROM balancing_devices d JOIN host ON host.id = d.host_id WHERE d.kind = $1 AND d.name = $2`,
    [kind, name, hostId],
  )
  return row ? rowOf<BalancingDevice>(row.device) : null
}
