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
    users.registerMany('storage-connection', (tx, ids) => volumes(tx, `EXISTS (${AT_ITS_HOST} AND ${OF_PROJECT})`, ids))
    users.registerMany('storage-connection', (tx, ids) =>
      guests(
        tx,
        `EXISTS (${AT_ITS_HOST} AND EXISTS (SELECT FROM images i WHERE i.id = t.image_id AND ${OF_IMAGE}))`,
        ids,
      ),
    )
    quotas.register('guests', (tx, projectId) => sum(tx, 'count(*)', projectId))
    quotas.register('vcpus', (tx, projectId) => sum(tx, 'sum(vcpus)', projectId))
    quotas.register('memoryMiB', (tx, projectId) => sum(tx, 'sum(memory_mib)', projectId))
  }
}

const AT_ITS_HOST = 'SELECT FROM storage_connections s WHERE s.id = ANY($1::uuid[]) AND s.host_id = t.host_id'
const OF_PROJECT = '(s.project_id, s.connection_id) = (t.project_id, t.connection_id)'
const OF_IMAGE = '(s.project_id, s.connection_id) = (i.project_id, i.connection_id)'

const finder =
  (noun: string, table: string) =>
  async (tx: Tx, where: string, of: string | readonly string[]): Promise<User[]> => {
    const rows: { id: string; name: string }[] = await tx.query(
      `SELECT id, name FROM ${table} t WHERE ${where} ORDER BY created_at, id LIMIT 1000`,
      [of],
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
