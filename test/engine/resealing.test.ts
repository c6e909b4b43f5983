import { randomBytes, randomUUID } from 'node:crypto'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { countSealed, resealAll } from '../../src/engine/platform/resealing.js'
import * as table from '../../src/engine/platform/sealed-columns.js'
import { Sealer, sealingKeyOf } from '../../src/engine/platform/sealing.js'
import { checkSealer } from '../../src/engine/platform/sealing-keys.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startTestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { issueCertificate } from '../support/issued-certificate.js'
import { CLIENT, TestProvider } from '../support/oidc.js'
import { sourcesBelow } from '../support/sources.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

const [older, newer, foreign] = [1, 2, 3].map(() => sealingKeyOf(randomBytes(32)))
const before = new Sealer(older!)
const both = new Sealer(newer!, [older!])
const { passingSeals, sealedColumns, sealedPlace } = table
const column = { table: 'toys', column: 'sealed_wish', id: ['child', 'number'] }
const quiet = { info: () => undefined }

let database: TestDatabase
let dataSource: DataSource
beforeEach(async () => {
  database = await createTestDatabase()
  dataSource = await new DataSource(dataSourceOptions(database.url, { poolSize: 8 })).initialize()
  await dataSource.query(
    'CREATE TABLE toys (child text, number integer, sealed_wish text, PRIMARY KEY (child, number))',
  )
  await checkSealer(dataSource, before, quiet)
})
afterEach(async () => {
  await dataSource.destroy()
  await database.drop()
})

const place = (child: string, number: number) => `toys.sealed_wish/${child}/${number}`

async function fill(count: number, sealer = before): Promise<void> {
  for (let number = 0; number < count; number++) {
    const sealed = sealer.seal(`wish ${number}`, place('kim', number))
    await dataSource.query(`INSERT INTO toys VALUES ('kim', $1, $2)`, [number, sealed])
  }
}

async function wishes(sealer: Sealer): Promise<string[]> {
  const rows: { number: number; sealed_wish: string }[] = await dataSource.query('SELECT * FROM toys ORDER BY number')
  return rows.map((row) => sealer.openText(row.sealed_wish, place('kim', row.number)))
}

const reseal = (sealer: Sealer, batch = 10) => resealAll(dataSource, sealer, { columns: [column], batch })
const checks = async (): Promise<string[]> =>
  (await dataSource.query('SELECT key_id FROM sealing_checks')).map((row: { key_id: string }) => row.key_id)

describe('a rotation', () => {
  it('seals everything with the current key, says which keys nothing needs, and forgets them', async () => {
    await fill(35)
    await dataSource.query(`INSERT INTO toys VALUES ('robin', 1, NULL)`)
    await checkSealer(dataSource, both, quiet)
    expect((await checks()).sort()).toEqual([older!.id, newer!.id].sort())
    expect(await reseal(both)).toEqual({ resealed: 35, broken: [], unneeded: [older!.id] })
    await dataSource.query(`DELETE FROM toys WHERE child = 'robin'`)
    expect(await wishes(new Sealer(newer!))).toEqual(Array.from({ length: 35 }, (_, n) => `wish ${n}`))
    expect(await checks()).toEqual([newer!.id])
    await checkSealer(dataSource, new Sealer(newer!), quiet)
  })

  it('finds nothing to do the second time', async () => {
    await fill(3)
    await reseal(both)
    const texts = await dataSource.query('SELECT * FROM toys')
    expect(await reseal(both)).toEqual({ resealed: 0, broken: [], unneeded: [older!.id] })
    expect(await dataSource.query('SELECT * FROM toys')).toEqual(texts)
  })

  it('goes on where it was stopped', async () => {
    await fill(30)
    await checkSealer(dataSource, both, quiet)
    const [{ number } = { number: 0 }]: { number: number }[] = await dataSource.query(
      `SELECT number FROM toys ORDER BY ARRAY[child, number::text] OFFSET 25 LIMIT 1`,
    )
    // the third batch fails, as it would in a crash
    await dataSource.query(`CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.number = ${number} THEN RAISE EXCEPTION 'stop'; END IF; RETURN NEW; END $$`)
    await dataSource.query('CREATE TRIGGER stop BEFORE UPDATE ON toys FOR EACH ROW EXECUTE FUNCTION stop()')
    await expect(reseal(both)).rejects.toThrow('stop')
    expect(await wishes(both)).toHaveLength(30)
    expect((await checks()).length).toBe(2)
    await dataSource.query('DROP FUNCTION stop CASCADE')
    expect(await reseal(both)).toEqual({ resealed: 10, broken: [], unneeded: [older!.id] })
    expect(await wishes(new Sealer(newer!))).toHaveLength(30)
  })

  it('is of one process at a time', async () => {
    await fill(40)
    const turns = await Promise.allSettled([reseal(both, 1), reseal(both, 1), reseal(both, 1)])
    const refused = turns.filter((turn) => turn.status === 'rejected').map(({ reason }) => reason)
    expect(turns.some(({ status }) => status === 'fulfilled')).toBe(true)
    expect(refused.length).toBeGreaterThan(0)
    for (const reason of refused) expect(reason).toMatchObject({ exitCode: 75 })
    expect(await wishes(new Sealer(newer!))).toHaveLength(40)
  })

  it('loses nothing that an engine writes meanwhile', async () => {
    await fill(40)
    const turn = reseal(both, 1)
    for (let number = 0; number < 40; number += 3) {
      const sealed = both.seal(`other ${number}`, place('kim', number))
      await dataSource.query(`UPDATE toys SET sealed_wish = $1 WHERE number = $2`, [sealed, number])
    }
    await turn
    const found = await wishes(new Sealer(newer!))
    expect(found).toEqual(Array.from({ length: 40 }, (_, n) => (n % 3 === 0 ? `other ${n}` : `wish ${n}`)))
  })

  it('leaves alone what no key opens, names it, and keeps the key that others need', async () => {
    await fill(3)
    await dataSource.query(`UPDATE toys SET sealed_wish = $1 WHERE number = 1`, [
      new Sealer(foreign!).seal('lost', place('kim', 1)),
    ])
    // moved there from another row
    await dataSource.query(`UPDATE toys SET sealed_wish = $1 WHERE number = 2`, [before.seal('moved', place('kim', 9))])
    expect(await reseal(both)).toEqual({ resealed: 1, broken: [place('kim', 1), place('kim', 2)], unneeded: [] })
    expect(await checks()).toEqual([older!.id])
    expect(await countSealed(dataSource.manager, [column])).toEqual(
      expect.arrayContaining([
        { table: 'toys', column: 'sealed_wish', keyId: foreign!.id, count: 1 },
        { table: 'toys', column: 'sealed_wish', keyId: older!.id, count: 1 },
        { table: 'toys', column: 'sealed_wish', keyId: newer!.id, count: 1 },
      ]),
    )
  })
})

describe('the table of sealed columns', () => {
  const listed = [...sealedColumns.map(({ table, column: name }) => `${table}.${name}`), 'sealing_checks.sealed']

  it('has each column that the migrations call sealed', async () => {
    const rows: { name: string }[] = await dataSource.query(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name <> 'toys' AND column_name ~ '(^|_)sealed(_|$)'`,
    )
    expect(rows.map(({ name }) => name).filter((name) => !listed.includes(name))).toEqual([])
  })

  it('names only columns that there are, and ids that are keys', async () => {
    for (const { table, column: name, id } of sealedColumns) {
      const [row] = await dataSource.query(
        `SELECT (SELECT data_type FROM information_schema.columns WHERE table_name = $1 AND column_name = $2) AS type,
           EXISTS (SELECT FROM pg_index WHERE indrelid = $1::regclass AND indisunique AND (
             SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY(indkey)
           ) = (SELECT array_agg(n ORDER BY n) FROM unnest($3::text[]) n)) AS key`,
        [table, name, id],
      )
      expect({ table, name, ...row }).toEqual({ table, name, type: 'text', key: true })
    }
  })

  it('has each place that something is sealed for', () => {
    const known = Object.entries(table).filter(([, entry]) =>
      [...sealedColumns, ...passingSeals].includes(entry as never),
    )
    const names = known.map(([name]) => name)
    // `resealing.ts` goes through the table itself
    // agents seal for themselves, by keys of their own
    const sealing = sourcesBelow('src/engine').filter(
      ({ path, text }) => /[sS]ealer\.seal\(/.test(text) && !path.endsWith('platform/resealing.ts'),
    )
    const places = sealing.map(({ path, text }) => ({
      path,
      // written out where it is sealed, or of the table
      places: [
        ...[...text.matchAll(/[`'"]([a-z_]+\.[a-z_]+)\//g)].map(([, found]) => found!),
        ...[...text.matchAll(/sealedPlace\((\w+)|\b(\w+)\.place\b/g)].map(([, of, passing]) => (of ?? passing)!),
      ],
    }))
    expect(places.filter((file) => file.places.length === 0)).toEqual([])
    expect(places.flatMap((file) => file.places).filter((found) => ![...listed, ...names].includes(found))).toEqual([])
    expect(names.filter((name) => !places.some((file) => file.places.includes(name)))).toEqual([])
  })

  it('leaves out only what is no column, and worth nothing after minutes', () => {
    expect(passingSeals.filter(({ place, seconds }) => !place.startsWith('cookies/') || seconds > 600)).toEqual([])
  })

  it('has a place of its own for each id, whatever is in it', () => {
    expect(sealedPlace(column, ['a/b', 'c'])).not.toBe(sealedPlace(column, ['a', 'b/c']))
  })
})

describe('a rotation of what an engine has sealed', () => {
  it('reaches each column, and the engine goes on with all of it', async () => {
    const keys = [older!, newer!].map(({ bytes }) => bytes.toString('base64')).join(',')
    const engine = await startTestEngine({ sealingKeys: keys })
    const provider = await TestProvider.start([])
    const there = await new DataSource(dataSourceOptions(engine.databaseUrl, { poolSize: 3 })).initialize()
    try {
      const names = { name: 'rotated', clientId: CLIENT.id, clientSecret: CLIENT.secret }
      await engine.http.post('/api/v1/identity-providers', { ...names, issuer: provider.issuer })
      const { body: user } = await engine.http.post('/api/v1/users', { kind: 'service', name: 'rotated' })
      const issue = () =>
        engine.http.post(`/api/v1/users/${user.id}/tokens`, { name: 'a' }, { headers: { 'idempotency-key': 'a/b' } })
      const { body: token } = await issue()
      const { certPem: chainPem, privateKeyPem } = await issueCertificate({ names: ['rotated.example'] })
      await engine.http.post('/api/v1/certificates', { name: 'rotated', chainPem, privateKeyPem })
      // in its row, in that of its one host, and in the command that waits for the host
      const { body: host } = await engine.http.post('/api/v1/hosts', { name: 'rotated' })
      const storage = {
        name: 'rotated',
        uri: 'iscsi://192.0.2.1/iqn.2026-01.org.example:a?chapUser=u',
        credentials: { chapPassword: 'rotated' },
      }
      const { body: kept } = await engine.http.post('/api/v1/storages', {
        ...storage,
        selector: { hostIds: [host.id] },
      })
      const connection = `/api/v1/hosts/${host.id}/storage-connections/${encodeURIComponent(kept.connectionId)}`
      await eventually(async () => expect((await engine.http.get(connection)).status).toBe(200))
      await guestWith(there, host.id)
      const counts = async () => (await countSealed(there.manager)).map(({ keyId, count }) => ({ keyId, count }))
      expect(await counts()).toEqual(sealedColumns.map(() => ({ keyId: older!.id, count: 1 })))
      expect(await resealAll(there, both)).toEqual({
        resealed: sealedColumns.length,
        broken: [],
        unneeded: [older!.id],
      })
      expect(await counts()).toEqual(sealedColumns.map(() => ({ keyId: newer!.id, count: 1 })))
      expect((await issue()).body).toEqual(token)
      const agent = await WireAgent.open(engine.tcp, helloOf('rotated'))
      expect((await agent.command()).payload).toMatchObject({ credentials: storage.credentials })
      agent.vanish()
      expect((await http(engine.url).get('/api/v1/session/oidc/rotated')).status).toBe(302)
      const [row] = await there.query('SELECT id, sealed_client_secret AS sealed FROM identity_providers')
      expect(new Sealer(newer!).openText(row.sealed, sealedPlace(table.clientSecrets, [row.id]))).toBe(CLIENT.secret)
    } finally {
      await there.destroy()
      await engine.stop()
      await provider.goDown()
    }
  })
})

/** As an engine seals them: a guest, and what it is to do. */
async function guestWith(there: DataSource, hostId: string): Promise<void> {
  const [id, messageId] = [randomUUID(), randomUUID()]
  const seal = (of: table.SealedColumn, rowId: string) => before.seal('rotated', sealedPlace(of, [rowId]))
  await there.query(
    `WITH i AS (
       INSERT INTO images (project_id, name, format, connection_id, files, has_agent)
       SELECT id, 'rotated', 'qcow2', 'rotated', '[]', true FROM projects RETURNING id, project_id
     ), g AS (
       INSERT INTO guests (id, project_id, name, image_id, vcpus, memory_mib, sealed_user_data, restart_policy, boot_timeout_ms,
         prepare_timeout_ms, stop_grace_ms, host_id, provisioning_status)
       SELECT $1::uuid, i.project_id, 'rotated', i.id, 1, 64, $2, 'never', 1000, 1000, 0, $3, 'ACTIVE' FROM i RETURNING id, project_id
     )
     INSERT INTO guest_messages (id, guest_id, project_id, build, kind, summary, sealed_task, run_timeout_ms)
     SELECT $4, g.id, g.project_id, 1, 'prepare', '{}', $5, 1000 FROM g`,
    [id, seal(table.guestUserData, id), hostId, messageId, seal(table.guestTasks, messageId)],
  )
}
