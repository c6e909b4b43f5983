import { randomUUID } from 'node:crypto'
import { DataSource, type EntityManager } from 'typeorm'
import { claimQueued } from '../../src/engine/commands/dispatch.queries.js'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'

let database: TestDatabase
let dataSource: DataSource
beforeAll(async () => {
  database = await createTestDatabase()
  dataSource = await new DataSource(dataSourceOptions(database.url, { poolSize: 1 })).initialize()
})
afterAll(async () => {
  await dataSource?.destroy()
  await database?.drop()
})

const waitsForTheDisk = async (tx: EntityManager): Promise<boolean> => {
  const [row] = await tx.query('SHOW synchronous_commit')
  return row.synchronous_commit === 'on'
}

it('the claim of commands does not wait for the disk, and what comes after it on the same connection does', async () => {
  // the server of the tests never does
  await dataSource.query('SET synchronous_commit = on')
  const during = await dataSource.transaction(async (tx) => {
    const before = await waitsForTheDisk(tx)
    await claimQueued(tx, [{ hostId: randomUUID(), epoch: 1, room: 1 }])
    return [before, await waitsForTheDisk(tx)]
  })
  expect(during).toEqual([true, false])
  expect(await waitsForTheDisk(dataSource.manager)).toBe(true)
})
