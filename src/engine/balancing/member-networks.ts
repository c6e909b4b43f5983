import { prepared, type Tx } from '../platform/database.js'
import { Invalid } from '../platform/errors.js'
import type { Member } from './member.entity.js'

/**
 * Networks that new members say they are in: the project's own, or everybody's. They stay until the transaction ends, and after it for
 * as long as a member says so.
 * @throws Invalid with the `networkId` that there is not
 */
export async function requireMemberNetworks(
  tx: Tx,
  projectId: string,
  members: readonly Pick<Member, 'networkId'>[],
): Promise<void> {
  const ids = [...new Set(members.flatMap(({ networkId }) => (networkId === null ? [] : [networkId])))]
  if (ids.length === 0) return
  const rows = await prepared<{ id: string }>(
    tx,
    'balancing_member_networks',
    `SELECT id FROM networks WHERE id = ANY($1::uuid[]) AND (project_id IS NULL OR project_id = $2) ORDER BY id FOR KEY SHARE`,
    [ids, projectId],
  )
  const known = new Set(rows.map(({ id }) => id))
  const networkId = ids.find((id) => !known.has(id.toLowerCase()))
  if (networkId === undefined) return
  const fault = { field: 'networkId', message: `there is no network ${networkId}` }
  throw new Invalid('a member is said to be in a network that the project does not have', [fault], 'invalid', {
    networkId,
  })
}
