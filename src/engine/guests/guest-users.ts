import { Injectable } from '@nestjs/common'
import { Quotas } from '../identity/quotas.js'
import type { Tx } from '../platform/database.js'
import { type User, UsersOf } from '../platform/users-of.js'
import { GUEST_NOUN } from './guest.entity.js'

/** Guests, volumes and images as users of what they stand on, and in quotas. */
@Injectable()
export class GuestUsers {
  constructor(users: UsersOf, quotas: Quotas) {
    users.register('host', (tx, id) => guests(tx, 'host_id = $1', id))
    users.register('host', (tx, id) => volumes(tx, 'host_id = $1', id))
    users.register('network', (tx, id) =>
      guests(tx, 'id IN (SELECT guest_id FROM guest_nics WHERE network_id = $1)', id),
    )
    users.register('image', (tx, id) => guests(tx, 'image_id = $1', id))
    users.register('image', (tx, id) => volumes(tx, 'image_id = $1', id))
    users.register('project', (tx, id) => guests(tx, 'project_id = $1', id))
    users.register('project', (tx, id) => volumes(tx, 'project_id = $1', id))
    users.register('project', (tx, id) => images(tx, 'project_id = $1', id))
    users.register('storage', (tx, id) => volumes(tx, `connection_id = 'storage:' || $1`, id))
    users.register('storage', (tx, id) => images(tx, `connection_id = 'storage:' || $1`, id))
    // what the plane keeps for a storage is the storage's to guard
    users.register('storage-connection', (tx, id) => volumes(tx, ON_CONNECTION, id))
    users.register('storage-connection', (tx, id) =>
      guests(tx, `image_id IN (SELECT id FROM images WHERE ${OF_CONNECTION}) AND ${AT_ITS_HOST}`, id),
    )
    quotas.register('guests', (tx, projectId) => sum(tx, 'count(*)', projectId))
    quotas.register('vcpus', (tx, projectId) => sum(tx, 'sum(vcpus)', projectId))
    quotas.register('memoryMiB', (tx, projectId) => sum(tx, 'sum(memory_mib)', projectId))
  }
}

const OF_CONNECTION =
  '(project_id, connection_id) IN (SELECT project_id, connection_id FROM storage_connections WHERE id = $1)'
const AT_ITS_HOST = 'host_id = (SELECT host_id FROM storage_connections WHERE id = $1)'
const ON_CONNECTION = `${OF_CONNECTION} AND ${AT_ITS_HOST}`

const finder =
  (noun: string, table: string) =>
  async (tx: Tx, where: string, id: string): Promise<User[]> => {
    const rows: { id: string; name: string }[] = await tx.query(
      `SELECT id, name FROM ${table} WHERE ${where} ORDER BY created_at, id LIMIT 1000`,
      [id],
    )
    return rows.map((row) => ({ noun, ...row }))
  }

const guests = finder(GUEST_NOUN, 'guests')
const volumes = finder('volume', 'volumes')
const images = finder('image', 'images')

async function sum(tx: Tx, what: string, projectId: string): Promise<number> {
  const [row] = await tx.query(`SELECT coalesce(${what}, 0)::int AS used FROM guests WHERE project_id = $1`, [
    projectId,
  ])
  return row.used
}
