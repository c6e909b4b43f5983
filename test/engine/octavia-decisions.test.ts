import { callerWith, createProject, createUser, issue } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { type Route, routesMadeBy } from '../support/routes.js'
import { octavia, withToken } from './support/octavia.js'

const NOBODY = '00000000-0000-4000-8000-00000000dead'
const isOctavias = ({ url }: Route): boolean => /^\/(v2|v2\.0|projects|v3\/projects)(\/|$)/.test(url)

let engine: TestEngine
let routes: readonly Route[]
const tokens: Record<string, string> = {}

beforeAll(async () => {
  routes = (
    await routesMadeBy(async () => {
      engine = await startTestEngine()
    })
  ).filter(isOctavias)
  const project = await createProject(engine)
  tokens['a viewer of a project'] = (await callerWith(engine, { projects: { [project]: 'viewer' } })).token
  tokens['an administrator of a project'] = (await callerWith(engine, { projects: { [project]: 'admin' } })).token
  tokens['nobody in particular'] = (await callerWith(engine, {})).token
  const admin = await createUser(engine, { plane: 'admin' })
  tokens['an expired token'] = (await issue(engine, admin, { state: 'expired' })).token
})
afterAll(() => engine?.stop())

const ofMethod = (...methods: string[]) => routes.filter(({ method }) => methods.includes(method))
const call = async (kind: string | null, { method, url }: Route) => {
  const headers = kind === null ? {} : withToken(tokens[kind] ?? '')
  const client = octavia(engine.url, headers)
  const path = url.replace(/:\w+/g, NOBODY)
  const send = {
    GET: () => client.get(path),
    POST: () => client.post(path, {}),
    PUT: () => client.put(path, {}),
    DELETE: () => client.delete(path),
  }
  return `${method} ${url}: ${(await send[method as keyof typeof send]()).status}`
}

async function answers(kind: string | null, asked: readonly Route[]): Promise<string[]> {
  const told: string[] = []
  for (const route of asked) told.push(await call(kind, route))
  return told
}

const all = ['GET', 'POST', 'PUT', 'DELETE']
const open = ({ url }: Route): boolean => url === '/v2' || url === '/v2.0'
const withStatus = (told: readonly string[], status: number) => told.filter((line) => line.endsWith(`: ${status}`))
const others = (told: readonly string[], status: number) => told.filter((line) => !line.endsWith(`: ${status}`))

describe('the routes of the Octavia API', () => {
  it('are there', () => {
    expect(ofMethod(...all).length).toBeGreaterThan(100)
  })

  it.each([null, 'an expired token'])('say 401 to %s, all but the versions', async (kind) => {
    const asked = ofMethod(...all)
    expect(
      others(
        await answers(
          kind,
          asked.filter((route) => !open(route)),
        ),
        401,
      ),
    ).toEqual([])
    expect(withStatus(await answers(kind, asked.filter(open)), 401)).toEqual([])
  })

  it('say 403 to who has no role', async () => {
    const told = await answers(
      'nobody in particular',
      ofMethod(...all).filter((route) => !open(route)),
    )
    expect(others(told, 403)).toEqual([])
  })

  it('let a viewer of a project change nothing', async () => {
    expect(others(await answers('a viewer of a project', ofMethod('POST', 'PUT', 'DELETE')), 403)).toEqual([])
  })

  it("let an administrator of a project keep nothing of the plane's", async () => {
    const planes = ofMethod('POST', 'PUT', 'DELETE').filter(({ url }) => /flavor|availabilityzone|quotas/.test(url))
    expect(planes.length).toBeGreaterThan(20)
    expect(others(await answers('an administrator of a project', planes), 403)).toEqual([])
  })
})
