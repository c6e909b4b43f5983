import type { Parts } from './tree.js'

export type PartNoun = keyof Parts

interface PartTable {
  readonly table: string
  /** What an edit may change of a row, beside what all of them have alike. */
  readonly columns: readonly string[]
}

const alike = ['name', 'description', 'admin_state_up', 'tags', 'provisioning_status', 'generation', 'updated_at']

const table = (name: string, columns: string): PartTable => ({
  table: name,
  columns: [...alike, ...columns.split(' ')],
})

/** Those that others name stand before these. */
export const partTables: Readonly<Record<PartNoun, PartTable>> = {
  pools: table('pools', 'protocol lb_algorithm session_persistence'),
  listeners: table(
    'listeners',
    'protocol protocol_port connection_limit default_pool_id allowed_cidrs insert_headers timeout_client_data timeout_member_connect timeout_member_data timeout_tcp_inspect default_certificate_id sni_certificate_ids',
  ),
  members: table('members', 'pool_id network_id address protocol_port weight backup monitor_address monitor_port'),
  healthMonitors: table(
    'health_monitors',
    'pool_id type delay timeout max_retries max_retries_down http_method url_path expected_codes http_version domain_name',
  ),
  l7Policies: table(
    'l7_policies',
    'listener_id action position redirect_pool_id redirect_url redirect_prefix redirect_http_code',
  ),
  l7Rules: table('l7_rules', 'l7_policy_id type compare_type key value invert'),
}

export const partNouns = Object.keys(partTables) as PartNoun[]

/** `l7_policy_id` is called `l7PolicyId`, as the naming strategy of the entities has it. */
const propertyOf = remembered((column) => column.replace(/_([a-z0-9])/g, (_, first: string) => first.toUpperCase()))
const columnOf = remembered((property) => property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))

/** For names of our own, of which there are some dozen. */
function remembered(spell: (name: string) => string): (name: string) => string {
  const known = new Map<string, string>()
  return (name) => {
    const found = known.get(name)
    if (found !== undefined) return found
    const spelled = spell(name)
    known.set(name, spelled)
    return spelled
  }
}

const MOMENT = /_at$/

/** A row as `to_jsonb` gives it, under the names of the entity. The columns are the entity's: a test compares them. */
export function rowOf<R>(json: Readonly<Record<string, unknown>>): R {
  const entries = Object.entries(json).map(([column, value]) => [
    propertyOf(column),
    MOMENT.test(column) && typeof value === 'string' ? new Date(value) : value,
  ])
  return Object.fromEntries(entries) as R
}

/** For `jsonb_populate_recordset`. */
export const columnsFrom = (row: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(row).map(([property, value]) => [columnOf(property), value]))
