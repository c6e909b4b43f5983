import { randomUUID } from 'node:crypto'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { AuditBacklog } from '../../src/engine/identity/audit-backlog.js'
import { AuditChain } from '../../src/engine/identity/audit-chain.js'
import { byPlane } from '../../src/engine/identity/audit-drafts.js'
import { AuditWriter } from '../../src/engine/identity/audit-writer.js'
import { Database } from '../../src/engine/platform/database.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startTestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { rowsOf } from './support/audit.js'

let database: TestDatabase
let wire: TcpProxy
beforeEach(async () => {
  database = await createTestDatabase()
  wire = await startTcpProxy(database.url)
})
afterEach(async () => {
  await wire.cut()
  await database.drop()
})

describe('while the database is away', () => {
  it('calls are refused, and their rows wait for it', async () => {
    const engine = await startTestEngine({ databaseUrl: wire.url })
    try {
      await engine.http.post('/api/v1/hosts', { name: 'before' })
      await wire.cut()
      const requestId = randomUUID()
      const options = { headers: { 'x-request-id': requestId } }
      expect(await engine.http.post('/api/v1/hosts', { name: 'away' }, options)).toMatchObject({ status: 503 })
      await wire.restore()
      await eventually(async () => expect((await engine.http.get('/health/ready')).status).toBe(200), {
        timeoutMs: 20_000,
      })
      const [row] = await rowsOf(engine, requestId)
      expect(row).toMatchObject({ status: 503, problem: 'database-unavailable' })
      const { body } = await engine.http.get('/api/v1/audit/verify')
      expect(body).toMatchObject({ intact: true })
    } finally {
      await wire.restore().catch(() => undefined)
      await engine.stop()
    }
  })

  it('more rows than may wait are counted, and the count becomes a row', async () => {
    const dataSource = await new DataSource(dataSourceOptions(wire.url, { poolSize: 3 })).initialize()
    const rows = new Database(dataSource)
    const backlog = new AuditBacklog(rows, new AuditWriter(new AuditChain(rows)))
    await wire.cut()
    for (let n = 0; n < 10_005; n++) backlog.keep(byPlane('toys.create', `/${n}`))
    await wire.restore()
    await eventually(
      async () => {
        const found: object[] = await dataSource.query(
          'SELECT operation, count(*)::int AS n, max(path) AS path FROM audit_unchained GROUP BY 1 ORDER BY 1',
        )
        expect(found).toMatchObject([
          { operation: 'audit.lost', n: 1, path: '5 refused calls were not written' },
          { operation: 'toys.create', n: 10_000 },
        ])
      },
      { timeoutMs: 20_000 },
    )
    expect(backlog.lost).toBe(5)
    await backlog.onApplicationShutdown()
    await dataSource.destroy()
  })
})
