import { randomInt } from 'node:crypto'
import { callerWith, createProject, type TestCaller } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

const STEPS = 400
const AT_ONCE = 8
const seed = Number(process.env.TEST_SEED ?? randomInt(2 ** 31))

/** Each thing of a project carries its mark in its target and in what goes wrong with it; its id may be the other's next. */
const marks = ['amber', 'birch'] as const
type Mark = (typeof marks)[number]

interface Bound extends TestCaller {
  readonly mark: Mark
  /** All that was ever said to it: bodies of what it reads, and what it hears. */
  readonly told: string[]
}

let engine: TestEngine
let agent: WireAgent
let working: Promise<void>
let stopped = false
const projects = new Map<Mark, string>()
const callers: Bound[] = []
/** What the host was told last, by subject. */
const targets = new Map<string, string>()
const streams = new Map<Bound, SseReader>()
let above: SseReader

const random = mulberry32(seed)
const below = (n: number) => Math.floor(random() * n)
const one = <T>(list: readonly T[]): T => list[below(list.length)] as T

beforeAll(async () => {
  engine = await startTestEngine()
  agent = await WireAgent.open(engine.tcp, helloOf('shared'))
  for (const mark of marks) {
    const project = await createProject(engine, mark)
    projects.set(mark, project)
    for (const role of ['viewer', 'operator', 'operator', 'admin'] as const) {
      callers.push({ ...(await callerWith(engine, { projects: { [project]: role } })), mark, told: [] })
    }
  }
  const follow = (token: string) => SseReader.open(`${engine.url}/api/v1/events/stream`, { token })
  for (const caller of callers) streams.set(caller, await follow(caller.token))
  above = await follow(engine.token)
  working = work()
})
afterAll(async () => {
  stopped = true
  await working
  for (const stream of [...streams.values(), above]) stream.close()
  agent.vanish()
  await engine.stop()
})

/** The host carries out what it is asked, now and then badly, and says what it sees. */
async function work(): Promise<void> {
  for (let n = 0; ; n++) {
    await eventually(() => expect(stopped || agent.commands.length > n).toBe(true), { timeoutMs: 120_000 })
    const command = agent.commands[n]
    if (!command) return
    if (command.kind === 'storage.reset') await agent.permit(command)
    const { uri = targets.get(command.subject) ?? '' } = command.payload as { uri?: string }
    targets.set(command.subject, uri)
    const fault = { type: 'mount-failed', message: `mount: ${uri} is bad` }
    await agent.report(command, n % 5 === 4 ? { state: 'failed', result: undefined, fault } : {})
    const { subject, generation } = command
    await agent.observe([{ subject, generation, status: n % 2 ? 'UP' : 'DOWN', fault: n % 2 ? null : fault }])
  }
}

const connections = () => `/api/v1/hosts/${agent.hostId}/storage-connections`
const anyId = () => `c${below(12)}`

/** What somebody may do, as tests do it: with their own things, and with those of others. */
const deeds: readonly ((caller: Bound) => Promise<{ status: number; body: unknown }>)[] = [
  ({ http, mark }) => http.put(`${connections()}/${anyId()}`, { uri: `local:///srv/${mark}/${below(3)}` }),
  ({ http, mark }) => http.put(`${connections()}/${anyId()}`, { uri: `local:///srv/${mark}/x` }, changing()),
  ({ http, mark }) =>
    http.put(`${connections()}/${anyId()}`, { uri: `local:///srv/${mark}/y`, projectId: anyProject() }),
  ({ http }) => http.delete(`${connections()}/${anyId()}`),
  ({ http }) => http.post(`${connections()}/${anyId()}/reset`),
  ({ http }) => http.get(`${connections()}/${anyId()}`),
  ({ http }) => http.get(`${connections()}?limit=500`),
  ({ http }) => http.get(`${connections()}?limit=3&sort=-createdAt&projectId=${anyProject()}`),
  ({ http }) => http.get('/api/v1/commands?limit=500'),
  ({ http }) => http.get(`/api/v1/commands?subject=storage-connection/${anyId()}`),
  ({ http }) => http.get(`/api/v1/commands/${one(agent.commands)?.id ?? agent.hostId}`),
  ({ http }) => http.get('/api/v1/events?limit=500'),
  ({ http }) => http.get(`/api/v1/events?subject=storage-connection/${agent.hostId}/${anyId()}`),
  ({ http }) => http.get(`/api/v1/events?projectId=${anyProject()}&hostId=${agent.hostId}`),
  ({ http }) => http.get('/api/v1/projects'),
  ({ http }) => http.get(`/api/v1/projects/${anyProject()}`),
  ({ http }) => http.get(`/api/v1/projects/${anyProject()}/quotas`),
  ({ http }) => http.get(`/api/v1/projects/${anyProject()}/role-bindings`),
]
const changing = () => ({ headers: { 'if-match': '*', prefer: 'coalesce' } })
const anyProject = () => projects.get(one(marks)) as string

it(`nobody reads or hears anything of another project (TEST_SEED=${seed})`, async () => {
  const statuses = new Map<number, number>()
  for (let step = 0; step < STEPS; step += AT_ONCE) {
    const acting = Array.from({ length: AT_ONCE }, async () => {
      const caller = one(callers)
      const { status, body } = await one(deeds)(caller)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      // a refusal repeats the path that was asked for, and nothing else
      if (status < 300) caller.told.push(JSON.stringify(body))
      else caller.told.push(JSON.stringify({ ...(body as object), instance: '', detail: detailOf(body) }))
    })
    await Promise.all(acting)
  }
  // all of it happened, and something of each kind
  for (const status of [200, 202, 403, 404, 409]) expect(statuses.get(status) ?? 0).toBeGreaterThan(0)
  for (const caller of callers) {
    const heard = streams.get(caller)!
    const project = projects.get(caller.mark)
    const due = () => above.messages.filter(({ data }) => data.projectId === project).map(({ id }) => id)
    // how much is left to chance: the projects share their ids; and the host may still be at work
    await eventually(() => {
      expect(due().length).toBeGreaterThan(2)
      expect(heard.messages.map(({ id }) => id)).toEqual(due())
    })
    expect(heard.closed).toBe(false)
    const [other] = marks.filter((mark) => mark !== caller.mark)
    const all = [...caller.told, ...heard.messages.map(({ data }) => JSON.stringify(data))].join('\n')
    expect(linesWith(all, other!)).toEqual([])
    expect(linesWith(all, projects.get(other!)!)).toEqual([])
  }
}, 120_000)

/** The project that the caller itself named is no news to it. */
const detailOf = (body: unknown): string =>
  String((body as { detail: string }).detail).replace(/^project [-0-9a-f]{36} does not exist$/, '…')

/** As much of each as shows what it is. */
const linesWith = (text: string, mark: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.includes(mark))
    .map((line) => line.slice(Math.max(0, line.indexOf(mark) - 300), line.indexOf(mark) + 100))

/** A small generator whose numbers a seed brings back. */
function mulberry32(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
