import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { Database } from '../../src/engine/platform/database.js'
import type { TooMany } from '../../src/engine/platform/errors.js'
import { type SettingKey, settingKeys } from '../../src/engine/platform/setting-keys.js'
import type { Settings } from '../../src/engine/platform/settings.js'
import { SharedLimits } from '../../src/engine/platform/shared-limits.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { eventually } from '../support/eventually.js'
import { startToys, type ToyEngine } from './support/toy.js'

describe('attempts that all replicas count together', () => {
  let database: TestDatabase
  const dataSources: DataSource[] = []
  const values: Partial<Record<SettingKey, number>> = {}
  const settings = { get: (key: SettingKey) => values[key] ?? settingKeys[key].default } as unknown as Settings

  const replica = async (): Promise<SharedLimits> => {
    const dataSource = await new DataSource(dataSourceOptions(database.url, { poolSize: 5 })).initialize()
    dataSources.push(dataSource)
    return new SharedLimits(new Database(dataSource), settings)
  }
  let [here, there]: SharedLimits[] = []
  beforeAll(async () => {
    database = await createTestDatabase()
    here = await replica()
    there = await replica()
  })
  afterAll(async () => {
    for (const dataSource of dataSources) await dataSource.destroy()
    await database.drop()
  })
  beforeEach(() => {
    for (const key of Object.keys(values)) delete values[key as SettingKey]
    values['limits.signInFailures'] = 3
  })

  /** Null: it may be made. */
  const waitOf = (limits: SharedLimits | undefined, subject: string): Promise<number | null> =>
    limits!.attempt('sign-in', subject).then(
      () => null,
      (error: unknown) => (error as TooMany).retryAfterSeconds,
    )
  const fail = async (subject: string, times: number) => {
    for (let time = 0; time < times; time++) await waitOf(here, subject)
  }
  const rows = () => dataSources[0]!.query(`SELECT key FROM limit_counters ORDER BY key`)

  it('lock out after some that failed, wherever they were made', async () => {
    expect([await waitOf(here, 'a'), await waitOf(there, 'a'), await waitOf(here, 'a')]).toEqual([null, null, null])
    expect(await waitOf(there, 'a')).toBe(60)
    expect(await waitOf(here, 'a')).toBe(60)
    expect(await waitOf(here, 'b')).toBeNull()
    await expect(here!.attempt('enrolment', 'a')).resolves.toBeUndefined()
  })

  it('that come at once are as many as they are', async () => {
    const waits = await Promise.all(Array.from({ length: 40 }, (_, index) => waitOf(index % 2 ? here : there, 'burst')))
    expect(waits.filter((wait) => wait === null)).toHaveLength(3)
  })

  it('forgive what was good and nothing else', async () => {
    await fail('c', 2)
    for (let time = 0; time < 5; time++) {
      expect(await waitOf(here, 'c')).toBeNull()
      await here!.takeBack('sign-in', 'c')
    }
    expect(await waitOf(here, 'c')).toBeNull()
    expect(await waitOf(here, 'c')).toBe(60)
  })

  it('that were under way and good let the others in again, which count as before', async () => {
    await fail('g', 3)
    expect(await waitOf(there, 'g')).toBe(60)
    await here!.takeBack('sign-in', 'g')
    expect(await waitOf(there, 'g')).toBeNull()
    // no lockout has been: the next is the first
    expect(await waitOf(here, 'g')).toBe(60)
  })

  it('are counted anew when their window has ended', async () => {
    values['limits.failureWindowMs'] = 100
    await fail('d', 3)
    await eventually(async () => {
      const [{ over }] = await dataSources[0]!.query(
        `SELECT window_ends_at <= now() AS over FROM limit_counters WHERE key = 'sign-in:d'`,
      )
      expect(over).toBe(true)
    })
    expect(await waitOf(here, 'd')).toBeNull()
  })

  it('lock out twice as long each time, and never longer than the longest', async () => {
    const unlock = () => dataSources[0]!.query(`UPDATE limit_counters SET locked_until = now() WHERE key = 'sign-in:e'`)
    values['limits.lockoutMaxMs'] = 200_000
    const waits: (number | null)[] = []
    for (let time = 0; time < 4; time++) {
      await fail('e', 3)
      waits.push(await waitOf(here, 'e'))
      await unlock()
    }
    expect(waits).toEqual([60, 120, 200, 200])
  })

  it('are forgotten with their lockouts in time, and the table is tidied by whoever comes next', async () => {
    await fail('f', 4)
    await dataSources[0]!.query(
      `UPDATE limit_counters SET locked_until = 'epoch', window_ends_at = 'epoch', expires_at = 'epoch'`,
    )
    await fail('f', 3)
    expect(await waitOf(here, 'f')).toBe(60)
    expect(await rows()).toEqual([{ key: 'sign-in:f' }])
  })
})

describe('a route that is worth guessing at', () => {
  let toys: ToyEngine
  beforeAll(async () => {
    toys = await startToys()
  })
  afterAll(() => toys.stop())

  const signIn = (name: string) => toys.client.post('/odd/sign-in', { name })

  it('counts what failed, not what was good, and locks out with Retry-After', async () => {
    const { default: limit } = settingKeys['limits.signInFailures']
    for (let time = 0; time < limit - 1; time++) expect((await signIn('wrong')).status).toBe(401)
    for (let time = 0; time < 3; time++) expect((await signIn('right')).status).toBe(204)
    expect((await signIn('broken')).status).toBe(500)
    expect((await signIn('right')).status).toBe(204)
    expect((await signIn('wrong')).status).toBe(401)
    const refused = await signIn('right')
    expect(refused).toMatchObject({ status: 429, body: { type: 'urn:keelson:problem:too-many-requests' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
  })
})
