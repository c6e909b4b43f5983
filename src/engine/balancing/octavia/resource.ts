/** What an attribute is in SQL, and so how it is compared. */
export type Kind = 'text' | 'id' | 'integer' | 'number' | 'boolean' | 'ids' | 'texts' | 'json'

/** An attribute as the Octavia API shows it. */
export interface Attribute {
  readonly kind: Kind
  /** Of the row `t`. */
  readonly sql: string
  /** Lists can be narrowed by it; it is not shown. */
  readonly hidden?: true
}

/** One kind of thing of the Octavia API: how it is called there, and where each attribute comes from. */
export interface Resource {
  /** As messages call it. */
  readonly noun: string
  /** The keys of its envelopes. */
  readonly one: string
  readonly many: string
  readonly table: string
  /** Whether rows belong to projects: others' do not exist for a caller. */
  readonly ofProject: boolean
  /** The attribute that paths and markers name it by. */
  readonly key: 'id' | 'name' | 'project_id'
  /** By snake_case name, in the order in which they are shown. */
  readonly attributes: Readonly<Record<string, Attribute>>
}

export const text = (column: string): Attribute => ({ kind: 'text', sql: `t.${column}` })
export const id = (column: string): Attribute => ({ kind: 'id', sql: `t.${column}` })
export const integer = (column: string): Attribute => ({ kind: 'integer', sql: `t.${column}` })
export const boolean = (column: string): Attribute => ({ kind: 'boolean', sql: `t.${column}` })
export const json = (sql: string): Attribute => ({ kind: 'json', sql })
export const hidden = (attribute: Attribute): Attribute => ({ ...attribute, hidden: true })

/** What this plane does not have: shown as Octavia shows it where it is unset. */
export const never = (literal: 'NULL' | `'${string}'` | 'false' | `'[]'::json` = 'NULL'): Attribute => ({
  kind: 'json',
  sql: literal,
})

/** Without a zone, as Octavia writes it; it is UTC. */
const TIME = `'YYYY-MM-DD"T"HH24:MI:SS'`
export const time = (sql: string): Attribute => ({ kind: 'text', sql: `to_char((${sql}) AT TIME ZONE 'UTC', ${TIME})` })

/** Those rows of another table, as Octavia refers to them. `c` is the other's row. */
export const ids = (table: string, condition: string): Attribute => ({
  kind: 'ids',
  sql: `coalesce((SELECT json_agg(json_build_object('id', c.id) ORDER BY c.created_at, c.id)
    FROM ${table} c WHERE ${condition}), '[]')`,
})

/** Of everything that belongs to a balancer, and of the balancer. */
export const common: Readonly<Record<string, Attribute>> = {
  id: id('id'),
  name: text('name'),
  description: text('description'),
  provisioning_status: text('provisioning_status'),
  // Octavia has no word for what nobody has seen yet
  operating_status: {
    kind: 'text',
    sql: `CASE t.operating_status WHEN 'UNKNOWN' THEN 'OFFLINE' ELSE t.operating_status END`,
  },
  admin_state_up: boolean('admin_state_up'),
  project_id: id('project_id'),
  tenant_id: id('project_id'),
  created_at: time('t.created_at'),
  // null until something has changed
  updated_at: time('NULLIF(t.updated_at, t.created_at)'),
  tags: { kind: 'texts', sql: 't.tags' },
}

/** Of what stands under a balancer: lists take either spelling. */
export const ofBalancer: Readonly<Record<string, Attribute>> = {
  loadbalancer_id: hidden(id('load_balancer_id')),
  load_balancer_id: hidden(id('load_balancer_id')),
}

export const without = (
  attributes: Readonly<Record<string, Attribute>>,
  ...names: readonly string[]
): Readonly<Record<string, Attribute>> =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)))
