import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { migrate, migrationStatus, migrations } from '../../src/engine/platform/migrations.js'
import { targetIdOf } from '../../src/engine/storage/storage-target.js'
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/database.js'
import { schemaOf } from '../support/schema.js'

describe('migrations', () => {
  const databases: TestDatabase[] = []
  const dataSources: DataSource[] = []

  afterEach(async () => {
    for (const dataSource of dataSources.splice(0)) await dataSource.destroy()
    for (const database of databases.splice(0)) await database.drop()
  })

  const empty = async (): Promise<string> => {
    const database = await createEmptyDatabase()
    databases.push(database)
    return database.url
  }

  const connect = async (url: string, known: (new () => MigrationInterface)[] = migrations): Promise<DataSource> => {
    const dataSource = await new DataSource({
      ...dataSourceOptions(url, { poolSize: 3 }),
      migrations: known,
    }).initialize()
    dataSources.push(dataSource)
    return dataSource
  }

  it('say what the entities say', async () => {
    const database = await createTestDatabase()
    databases.push(database)
    const dataSource = await connect(database.url)
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log()
    expect(upQueries.map(({ query }) => query)).toEqual([])
  })

  it('go up, all the way down and up again to the same schema', async () => {
    const dataSource = await connect(await empty())
    const names = await migrate(dataSource, 'up')
    expect(names).toHaveLength(migrations.length)
    const schema = await schemaOf(dataSource)
    expect(schema.length).toBeGreaterThan(20)

    for (const name of [...names].reverse()) expect(await migrate(dataSource, 'down')).toEqual([name])
    expect(await schemaOf(dataSource)).toEqual([])
    expect(await migrate(dataSource, 'down')).toEqual([])

    expect(await migrate(dataSource, 'up')).toEqual(names)
    expect(await schemaOf(dataSource)).toEqual(schema)
  })

  it('are numbered as the files that hold them, one after the other', () => {
    const numbers = migrations.map((Migration) => Number(new Migration().name?.slice(-13)))
    expect(numbers).toEqual(migrations.map((_, index) => index + 1))
  })

  it('find nothing to do the second time', async () => {
    const dataSource = await connect(await empty())
    await migrate(dataSource, 'up')
    expect(await migrate(dataSource, 'up')).toEqual([])
    expect(await migrationStatus(dataSource)).toMatchObject({ pending: [], unknown: [] })
  })

  it('are carried out once when several processes start together', async () => {
    const url = await empty()
    const replicas = await Promise.all([connect(url, toys), connect(url, toys), connect(url, toys)])
    const done = await Promise.all(replicas.map((replica) => migrate(replica, 'up')))
    expect(done.flat().sort()).toEqual(['First0000000000001', 'Second0000000000002'])
  })

  it('say that they wait while another process migrates', async () => {
    const url = await empty()
    const [first, second] = [await connect(url, toys), await connect(url, toys)]
    const waited: string[] = []
    await Promise.all([first, second].map((replica) => migrate(replica, 'up', { onWait: () => waited.push('waited') })))
    expect(waited).toEqual(['waited'])
  })

  it('leave no trace of one that fails, keep those before it, and go on from there', async () => {
    const url = await empty()
    const broken = await connect(url, [First, Broken])
    await expect(migrate(broken, 'up')).rejects.toThrow('no_such_table')
    expect(await migrationStatus(broken)).toEqual({
      applied: ['First0000000000001'],
      pending: ['Broken0000000000002'],
      unknown: [],
    })
    expect(await schemaOf(broken)).not.toContainEqual(expect.stringContaining('half_done'))
    expect(await migrate(await connect(url, toys), 'up')).toEqual(['Second0000000000002'])
  })

  it('refuse a schema that a newer build has made, by name and in both directions', async () => {
    const url = await empty()
    await migrate(await connect(url, toys), 'up')
    const older = await connect(url, [First])
    const refusal = { exitCode: 78, message: expect.stringMatching(/does not know \(Second0000000000002\)/) }
    await expect(migrate(older, 'up')).rejects.toMatchObject(refusal)
    await expect(migrate(older, 'down')).rejects.toMatchObject(refusal)
    expect((await migrationStatus(older)).unknown).toEqual(['Second0000000000002'])
  })

  it('give what hosts had of themselves the targets’ ids that it is told with from then on', async () => {
    const url = await empty()
    const older = await connect(url, migrations.slice(0, 10))
    await migrate(older, 'up')
    const [{ id }] = await older.query(`INSERT INTO hosts (name) VALUES ('h') RETURNING id`)
    for (const target of ['nfs://filer/a', 'local:///srv/a', 'posix:///dev/sdb?fstype=ext4', 'posix://f/a?fstype=nfs'])
      await older.query(
        `INSERT INTO own_storage_connections (host_id, managed, connection_id, uri, target, operating_status)
         VALUES ($1, true, $2, $2, $2, 'UP')`,
        [id, target],
      )
    const dataSource = await connect(url)
    await migrate(dataSource, 'up')
    const rows = await dataSource.query(
      'SELECT target, target_id, target_since = created_at AS since FROM own_storage_connections',
    )
    expect(rows).toHaveLength(4)
    for (const { target, target_id: targetId, since } of rows)
      expect([targetId, since]).toEqual([targetIdOf(id, target), true])
  })

  it('may take longer than a statement of the engine may, and the limits hold again afterwards', async () => {
    const dataSource = await connect(await empty(), [Limits])
    await migrate(dataSource, 'up')
    const [inside] = await dataSource.query(`select statement, transaction from limits`)
    expect(inside).toEqual({ statement: '0', transaction: '0' })
    const settings = ['statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']
    const after = await dataSource.query(`select setting from pg_settings where name = any($1) order by name`, [
      settings,
    ])
    // the last one is not in Postgres before 17
    const expected = ['10000', '15000', '30000'].slice(0, after.length)
    expect(after.map(({ setting }: { setting: string }) => setting)).toEqual(expected)
    expect(after.length).toBeGreaterThanOrEqual(2)
  })
})

class First implements MigrationInterface {
  readonly name = 'First0000000000001'
  async up(db: QueryRunner): Promise<void> {
    await db.query('create table first (id integer)')
    await db.query('select pg_sleep(0.2)')
  }
  async down(db: QueryRunner): Promise<void> {
    await db.query('drop table first')
  }
}

class Second implements MigrationInterface {
  readonly name = 'Second0000000000002'
  async up(db: QueryRunner): Promise<void> {
    await db.query('create table second (id integer)')
  }
  async down(db: QueryRunner): Promise<void> {
    await db.query('drop table second')
  }
}

class Broken implements MigrationInterface {
  readonly name = 'Broken0000000000002'
  async up(db: QueryRunner): Promise<void> {
    await db.query('create table half_done (id integer)')
    await db.query('insert into no_such_table values (1)')
  }
  async down(): Promise<void> {}
}

class Limits implements MigrationInterface {
  readonly name = 'Limits0000000000001'
  async up(db: QueryRunner): Promise<void> {
    await db.query(
      `create table limits as
       select current_setting('statement_timeout') as statement, coalesce(current_setting('transaction_timeout', true), '0') as transaction`,
    )
  }
  async down(): Promise<void> {}
}

const toys = [First, Second]
