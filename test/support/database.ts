import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { migrate } from '../../src/engine/platform/migrations.js'
import { freePort } from './address.js'
import { eventually } from './eventually.js'
import { startScratchPostgres } from './postgres.js'

export interface TestDatabase {
  readonly url: string
  drop(): Promise<void>
}

/** What the first test file of a run has prepared for all: a server, and a database on it that is only copied. */
interface Server {
  readonly url: string
  readonly template: string
}

/** A database of its own for one test file, with every migration applied: a copy of one that was migrated once. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url, template } = await server()
  return createDatabase(url, `template ${template}`)
}

/** As `createTestDatabase`, with nothing in it. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase((await server()).url, '')
}

async function createDatabase(serverUrl: string, options: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await administer(serverUrl, `create database ${name} ${options}`)
  return {
    url: withDatabase(serverUrl, name),
    drop: () => administer(serverUrl, `drop database if exists ${name} with (force)`),
  }
}

/** Started by whoever makes the directory first; the others wait for the file that says where it is. */
async function server(): Promise<Server> {
  const directory = process.env.TEST_POSTGRES_DIR
  if (!directory) throw new Error('TEST_POSTGRES_DIR is not set: run the tests with jest and its global setup')
  const file = join(directory, 'server.json')
  const first = await mkdir(join(directory, 'starting')).then(
    () => true,
    () => false,
  )
  if (first) await prepare(directory, file)
  const said = await eventually(() => readFile(file, 'utf8'), { timeoutMs: 60_000, intervalMs: 50 })
  const answer = JSON.parse(said) as Server | { error: string }
  if ('error' in answer) throw new Error(`the test database could not be prepared: ${answer.error}`)
  return answer
}

async function prepare(directory: string, file: string): Promise<void> {
  const answer = await prepareServer(directory).catch((error: unknown) => ({ error: String(error) }))
  await writeFile(`${file}.partial`, JSON.stringify(answer))
  await rename(`${file}.partial`, file)
}

async function prepareServer(directory: string): Promise<Server> {
  const url = process.env.TEST_DATABASE_URL ?? (await startScratchPostgres(directory, await freePort()))
  const { url: templateUrl } = await createDatabase(url, '')
  const dataSource = await new DataSource(dataSourceOptions(templateUrl, { poolSize: 2 })).initialize()
  await migrate(dataSource, 'up')
  await dataSource.destroy()
  return { url, template: new URL(templateUrl).pathname.slice(1) }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
