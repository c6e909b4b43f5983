import { HttpAdapterHost } from '@nestjs/core'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { Audit } from '../../src/engine/identity/audit.service.js'
import { AuditBacklog } from '../../src/engine/identity/audit-backlog.js'
import { AuditChain } from '../../src/engine/identity/audit-chain.js'
import { AuditWriter } from '../../src/engine/identity/audit-writer.js'
import { Access } from '../../src/engine/platform/access.js'
import { Database } from '../../src/engine/platform/database.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startTestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'

let testDatabase: TestDatabase
let dataSource: DataSource
let database: Database
beforeEach(async () => {
  testDatabase = await createTestDatabase()
  dataSource = await new DataSource(dataSourceOptions(testDatabase.url, { poolSize: 4 })).initialize()
  database = new Database(dataSource)
})
afterEach(async () => {
  await dataSource.destroy()
  await testDatabase.drop()
})

const projects = async (): Promise<string[]> =>
  (await dataSource.query('SELECT name FROM projects ORDER BY name')).map(({ name }: { name: string }) => name)
const make = (name: string) => `INSERT INTO projects (name) VALUES ('${name}')`

describe('a record of what is no REST call', () => {
  it('is written with its transaction, or not at all', async () => {
    const writer = new AuditWriter(new AuditChain(database))
    const backlog = new AuditBacklog(database, writer)
    const audit = new Audit(database, new Access(), new HttpAdapterHost(), backlog, writer)
    const record = {
      operation: 'sessions.create',
      who: { userId: null, name: 'kim', tokenId: null },
      address: '192.0.2.7',
      subjects: ['user/1'],
      outcome: { status: 401, problem: 'unauthenticated' },
    }
    await database.transaction((tx) => audit.record(tx, record))
    const undone = database.transaction(async (tx) => {
      await audit.record(tx, { ...record, operation: 'users.reset' })
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    expect(await dataSource.query('SELECT * FROM audit_unchained')).toMatchObject([
      { operation: 'sessions.create', user_name: 'kim', address: '192.0.2.7', subjects: ['user/1'], status: 401 },
    ])
  })
})

describe('the witness of transactions', () => {
  let seen: number
  beforeEach(() => {
    seen = 0
    database.witnessedBy(async () => {
      seen++
    })
  })

  it('sees each of them once, however many join it', async () => {
    await database.ambient(async () => {
      await database.transaction((tx) => tx.query(make('one')))
      await database.transaction((tx) => tx.query(make('two')))
    })
    expect([seen, await projects()]).toEqual([1, ['default', 'one', 'two']])
  })

  it('sees none that fails', async () => {
    await expect(database.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(seen).toBe(0)
  })

  it('undoes them when it fails', async () => {
    database.witnessedBy(() => Promise.reject(new Error('unseen')))
    await expect(database.transaction((tx) => tx.query(make('one')))).rejects.toThrow('unseen')
    expect(await projects()).toEqual(['default'])
  })

  it('does not see what is written aside, which stands when the rest does not', async () => {
    const refused = database.ambient(async () => {
      await database.aside((tx) => tx.query(make('counted')))
      await database.transaction((tx) => tx.query(make('undone')))
      throw new Error('refused')
    })
    await expect(refused).rejects.toThrow('refused')
    expect([seen, await projects()]).toEqual([0, ['counted', 'default']])
  })
})

it('tells where the chain ends, in the log and in the metrics', async () => {
  const lines: string[] = []
  const engine = await startTestEngine({ logLevel: 'info' }, { write: (line) => lines.push(line) })
  try {
    await engine.http.post('/api/v1/hosts', { name: 'h1' })
    const head = await eventually(async () => {
      const { body } = await engine.http.get('/api/v1/audit/head')
      expect(body).toMatchObject({ seq: 1, unchained: 0 })
      return body.head
    })
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'audit.head'`)
    await eventually(() =>
      expect(lines.map((line) => JSON.parse(line))).toContainEqual(
        expect.objectContaining({ level: 'info', msg: 'the head of the audit log', head }),
      ),
    )
    const { body: metrics } = await engine.http.get('/metrics')
    expect(metrics).toMatch(/^keelson_audit_head_seq 1$/m)
    expect(metrics).toMatch(/^keelson_audit_unchained 0$/m)
    expect(metrics).toMatch(/^keelson_audit_lost 0$/m)
  } finally {
    await engine.stop()
  }
})
