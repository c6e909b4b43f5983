import { Injectable } from '@nestjs/common'
import { Host } from '../hosts/host.entity.js'
import { prepared, type Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'
import { Settings } from '../platform/settings.js'
import { storageReadiness } from '../storage/storage-readiness.js'
import type { Guest } from './guest.entity.js'
import { GuestClaim } from './guest-claim.entity.js'
import {
  type GuestHost,
  noRoom,
  type PlacementHints,
  type Room,
  type RoomRules,
  rankHosts,
  roomOf,
} from './placement.js'

export interface PlaceAsked {
  readonly guestId: string
  readonly projectId: string
  readonly vcpus: number
  readonly memoryMib: number
  readonly labels: Readonly<Record<string, string>>
  readonly hints: PlacementHints
  /** All have to be seen up there (S12). */
  readonly connectionIds: readonly string[]
}

/** Where guests go, and what hosts promise them. */
@Injectable()
export class GuestPlacement {
  constructor(private readonly settings: Settings) {}

  /**
   * The host that the guest has room on from now on: two at once never get the same room, as it is taken by compare-and-set in this
   * transaction. The row of the guest comes first: `claimed` after it.
   * @throws Conflict `no-room`, which tells of each host what stands in the way
   */
  async choose(tx: Tx, asked: PlaceAsked): Promise<string> {
    const hosts = await lookAt(tx, asked)
    const { able, refused } = rankHosts(hosts, asked, this.rules)
    // those that somebody else is being placed on are waited for only where no other takes it
    for (const patience of ['passing', 'waiting'] as const) {
      for (const host of able) {
        if (await promise(tx, host.id, asked, host.room, patience)) return host.id
      }
    }
    throw noRoom([...refused, ...able.map(({ name }) => ({ host: name, reason: 'its room was taken at this moment' }))])
  }

  /** What was promised by `choose`, under the guest's name. */
  async claimed(tx: Tx, hostId: string, { guestId, vcpus, memoryMib }: PlaceAsked): Promise<void> {
    await prepared(
      tx,
      'guests_claim',
      'INSERT INTO guest_claims (guest_id, host_id, vcpus, memory_mib) VALUES ($1, $2, $3, $4)',
      [guestId, hostId, vcpus, memoryMib],
    )
  }

  /** @throws Conflict `no-room` where its host has not so much left */
  async resize(
    tx: Tx,
    { id, name, hostId, vcpus, memoryMib }: Guest,
    to: Pick<PlaceAsked, 'vcpus' | 'memoryMib'>,
  ): Promise<void> {
    const more = { vcpus: to.vcpus - vcpus, memoryMib: to.memoryMib - memoryMib }
    const host = await tx.findOneByOrFail(Host, { id: hostId })
    const room = roomOf(host, this.rules)
    const [rows] = await tx.query(
      `UPDATE host_promises p SET vcpus = p.vcpus + $2, memory_mib = p.memory_mib + $3
       WHERE p.host_id = $1 AND ($2::int <= 0 OR p.vcpus + $2 <= $4) AND ($3::bigint <= 0 OR p.memory_mib + $3 <= $5) RETURNING p.host_id`,
      [hostId, more.vcpus, more.memoryMib, room.vcpus, room.memoryMib],
    )
    if (rows.length === 0) throw new Conflict(`the host of guest ${name} has no room for that`, 'no-room')
    await tx.update(GuestClaim, { guestId: id, hostId }, to)
  }

  /** Gives back what was promised to these guests. */
  async release(tx: Tx, guestIds: readonly string[]): Promise<void> {
    await prepared(
      tx,
      'guests_release',
      `WITH gone AS (
         DELETE FROM guest_claims WHERE guest_id = ANY($1::uuid[]) RETURNING host_id, vcpus, memory_mib
       ), sums AS (
         SELECT host_id, count(*) AS guests, sum(vcpus) AS vcpus, sum(memory_mib) AS memory_mib FROM gone GROUP BY host_id
       ), line AS (
         SELECT p.host_id FROM host_promises p JOIN sums s ON s.host_id = p.host_id ORDER BY p.host_id FOR UPDATE OF p
       )
       UPDATE host_promises p
       SET guests = p.guests - s.guests, vcpus = p.vcpus - s.vcpus, memory_mib = p.memory_mib - s.memory_mib
       FROM sums s JOIN line l ON l.host_id = s.host_id WHERE p.host_id = s.host_id`,
      [guestIds],
    )
  }

  private get rules(): RoomRules {
    return {
      vcpusPerCpu: this.settings.get('guests.vcpusPerCpu'),
      reservedMemoryMib: this.settings.get('guests.reservedMemoryMiB'),
    }
  }
}

type HostRow = Omit<GuestHost, 'lacking'>

async function lookAt(tx: Tx, { projectId, labels, hints, connectionIds }: PlaceAsked): Promise<GuestHost[]> {
  const key = hints.spread?.guestLabel ?? null
  const hosts = await prepared<HostRow>(
    tx,
    'guests_places',
    `SELECT h.id, h.name, h.status, h.kinds, h.capabilities, h.labels, h.facts,
       coalesce(p.guests, 0) AS guests, coalesce(p.vcpus, 0) AS vcpus, coalesce(p.memory_mib, 0) AS "memoryMib",
       CASE WHEN $2::text IS NULL THEN 0 ELSE (
         SELECT count(*) FROM guests g WHERE g.host_id = h.id AND g.project_id = $1 AND g.labels ->> $2 = $3)::int END AS kin
     FROM hosts h LEFT JOIN host_promises p ON p.host_id = h.id ORDER BY h.name`,
    [projectId, key, key === null ? null : (labels[key] ?? null)],
  )
  const ids = hosts.map(({ id }) => id)
  const readiness = await storageReadiness(tx, ids, { connectionIds, projectIds: [projectId] })
  return hosts.map((host, i) => ({ ...host, lacking: readiness[i]?.lacking ?? [] }))
}

/** False: the host has not so much left, is not in service any more, or, passing by, is somebody else's for the moment. */
async function promise(
  tx: Tx,
  hostId: string,
  { vcpus, memoryMib }: PlaceAsked,
  room: Room,
  patience: 'passing' | 'waiting',
): Promise<boolean> {
  const rows = await prepared(tx, `guests_promise_${patience}`, PROMISES[patience], [
    hostId,
    vcpus,
    memoryMib,
    room.vcpus,
    room.memoryMib,
  ])
  return rows.length > 0
}

const promiseSql = (isFree: string): string =>
  `INSERT INTO host_promises AS p (host_id, guests, vcpus, memory_mib)
   SELECT id, 1, $2::int, $3::bigint FROM hosts WHERE id = $1 AND status = 'Up' AND ${isFree}
   ON CONFLICT (host_id) DO UPDATE
     SET guests = p.guests + 1, vcpus = p.vcpus + $2, memory_mib = p.memory_mib + $3
     WHERE p.vcpus + $2 <= $4 AND p.memory_mib + $3 <= $5
   RETURNING p.host_id`

const PROMISES = {
  passing: `WITH free AS (
     SELECT host_id FROM host_promises
     WHERE host_id = $1 AND vcpus + $2 <= $4 AND memory_mib + $3 <= $5
     FOR UPDATE SKIP LOCKED
   )
   ${promiseSql('(EXISTS (SELECT FROM free) OR NOT EXISTS (SELECT FROM host_promises WHERE host_id = $1))')}`,
  waiting: promiseSql('true'),
} as const
