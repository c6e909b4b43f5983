import { partNouns, partTables } from './part-tables.js'

/**
 * What the end of a generation does to all under its balancers, as parts of a statement in which `moved` tells of them: `id`
 * and `ok`. What was to go is gone with it however it ended: the intent has it no more, and a balancer in ERROR says that its
 * device may be of another mind (docs/adr/0050). Plan: index lookups for each balancer.
 */
export const ENDED_PARTS = partNouns
  .map((noun) => {
    const { table } = partTables[noun]
    const under = (condition: string) =>
      `(SELECT y.id, m.ok FROM moved m CROSS JOIN LATERAL (
         SELECT id FROM ${table} WHERE load_balancer_id = m.id AND ${condition} OFFSET 0) y)`
    return `${table}_gone AS (
       DELETE FROM ${table} x USING ${under(`provisioning_status = 'PENDING_DELETE'`)} y WHERE x.id = y.id
     ), ${table}_moved AS (
       UPDATE ${table} x SET provisioning_status = CASE WHEN y.ok THEN 'ACTIVE' ELSE 'ERROR' END, updated_at = now()
       FROM ${under(
         `(provisioning_status IN ('PENDING_CREATE', 'PENDING_UPDATE') OR (m.ok AND provisioning_status = 'ERROR'))`,
       )} y WHERE x.id = y.id
     )`
  })
  .join(', ')
