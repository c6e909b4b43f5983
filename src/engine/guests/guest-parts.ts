import { rowOf } from '../balancing/part-tables.js'
import type { Network } from '../networks/network.entity.js'
import type { Tx } from '../platform/database.js'
import { prepared } from '../platform/database.js'
import type { Guest } from './guest.entity.js'
import { MESSAGE_IN_TIME, type MessageInTime } from './guest-messages.queries.js'
import type { GuestNic } from './guest-nic.entity.js'
import type { Image } from './image.entity.js'
import type { Volume } from './volume.entity.js'

export type NicOnNetwork = GuestNic & { readonly network: Network }

/** A guest with all that stands under it. */
export interface WholeGuest {
  readonly guest: Guest
  readonly image: Image
  /** In the order in which the guest sees them. */
  readonly volumes: readonly Volume[]
  readonly nics: readonly NicOnNetwork[]
  /** What it is to do before it is ACTIVE, of its present build. */
  readonly prepare: MessageInTime | null
}

interface Row extends Record<string, unknown> {
  guest: Record<string, unknown>
  image: Record<string, unknown>
  volumes: Record<string, unknown>[]
  nics: Record<string, unknown>[]
  prepare: Record<string, unknown> | null
}

const WHOLE = `
  SELECT to_jsonb(g) AS guest, to_jsonb(i) AS image,
    coalesce((SELECT jsonb_agg(to_jsonb(v) ORDER BY v.position) FROM volumes v WHERE v.guest_id = g.id), '[]') AS volumes,
    coalesce((SELECT jsonb_agg(to_jsonb(n) || jsonb_build_object('network', to_jsonb(w)) ORDER BY n.position)
              FROM guest_nics n JOIN networks w ON w.id = n.network_id WHERE n.guest_id = g.id), '[]') AS nics,
    (SELECT ${MESSAGE_IN_TIME} FROM guest_messages m
     WHERE m.guest_id = g.id AND m.kind = 'prepare' AND m.build = g.build LIMIT 1) AS prepare
  FROM guests g JOIN images i ON i.id = g.image_id`

/** In no order. */
export async function wholeGuests(tx: Tx, ids: readonly string[]): Promise<WholeGuest[]> {
  const rows = await prepared<Row>(tx, 'guests_whole', `${WHOLE} WHERE g.id = ANY($1::uuid[])`, [ids])
  return rows.map(wholeOf)
}

function wholeOf({ guest, image, volumes, nics, prepare }: Row): WholeGuest {
  return {
    guest: rowOf<Guest>(guest),
    image: rowOf<Image>(image),
    volumes: volumes.map((row) => rowOf<Volume>(row)),
    nics: nics.map(({ network, ...row }) => ({
      ...rowOf<GuestNic>(row),
      // built by the statement above
      network: rowOf<Network>(network as Record<string, unknown>),
    })),
    prepare: prepare && rowOf<MessageInTime>(prepare),
  }
}

/** Locks guests in the order of their ids. @returns those that there are */
export async function lockGuests(tx: Tx, ids: readonly string[]): Promise<string[]> {
  const rows = await prepared<{ id: string }>(
    tx,
    'guests_lock',
    'SELECT id FROM guests WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE',
    [ids],
  )
  return rows.map(({ id }) => id)
}

/**
 * Locks those guests that wait for one of these commands; one that could not be removed goes on waiting. @returns for each of them which
 */
export async function lockAwaiting(tx: Tx, commandIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await prepared<{ id: string; command_id: string }>(
    tx,
    'guests_lock_awaiting',
    `SELECT g.id, g.command_id FROM guests g
     WHERE g.command_id = ANY($1::uuid[])
       AND (g.provisioning_status LIKE 'PENDING%' OR (g.provisioning_status = 'ERROR' AND g.step = 'remove'))
     ORDER BY g.id FOR NO KEY UPDATE`,
    [commandIds],
  )
  return new Map(rows.map((row) => [row.id, row.command_id]))
}
