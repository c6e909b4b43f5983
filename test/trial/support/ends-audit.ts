import pg from 'pg'

export interface CommandEnd {
  readonly id: string
  readonly before: string
  readonly state: string
}

/** A trigger writes down each time that a command ends, in the transaction that ends it. */
export async function auditEnds(databaseUrl: string): Promise<void> {
  await withClient(databaseUrl, (client) =>
    client.query(`
      CREATE SCHEMA trial;
      CREATE TABLE trial.ends (n serial, id uuid, before text, state text);
      CREATE FUNCTION trial.note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO trial.ends (id, before, state) VALUES (NEW.id, OLD.state, NEW.state); RETURN NEW; END $$;
      CREATE TRIGGER note_end AFTER UPDATE ON public.commands FOR EACH ROW
        WHEN (NEW.finished_at IS DISTINCT FROM OLD.finished_at) EXECUTE FUNCTION trial.note()`),
  )
}

export async function auditedEnds(databaseUrl: string): Promise<CommandEnd[]> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<CommandEnd>('SELECT id, before, state FROM trial.ends ORDER BY n')
    return rows
  })
}

export async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}
