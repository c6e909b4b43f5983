import type { DataSource } from 'typeorm'

/** All that a schema consists of, as sorted lines; equal for equal schemas. Migrations' own table is left out. */
export async function schemaOf(dataSource: DataSource): Promise<string[]> {
  const rows = await dataSource.query<{ line: string }[]>(`
    select line from (
      select format('column %s.%s %s %s default %s identity %s generated %s', c.relname, a.attname,
        format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' else 'null' end,
        pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated) as line, c.relname
      from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relkind in ('r', 'p', 'v', 'm') and c.relnamespace = 'public'::regnamespace
      union all
      select format('table %s %s %s', c.relname, c.relkind, c.reloptions), c.relname
      from pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'S') and c.relnamespace = 'public'::regnamespace
      union all
      select format('constraint %s %s %s', r.conrelid::regclass, r.conname, pg_get_constraintdef(r.oid)), r.conrelid::regclass::text
      from pg_constraint r where r.connamespace = 'public'::regnamespace
      union all
      select indexdef, tablename from pg_indexes where schemaname = 'public'
      union all
      select format('trigger %s', pg_get_triggerdef(t.oid)), t.tgrelid::regclass::text from pg_trigger t where not t.tgisinternal
      union all
      select format('function %s', pg_get_functiondef(p.oid)), p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace
      union all
      select format('type %s', t.typname), t.typname from pg_type t
      where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')
    ) s where relname not like 'migrations%' order by line collate "C"`)
  return rows.map(({ line }) => line)
}
