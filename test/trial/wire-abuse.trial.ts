import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fromRoot } from '../support/process.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { Figures, inMs, quantile } from './support/figures.js'
import { Ground } from './support/ground.js'
import { requireOpenFiles } from './support/open-files.js'
import { Plane } from './support/plane.js'
import { scaled, seed } from './support/scale.js'
import { Simulation } from './support/simulation.js'
import { type Span, WorkingHosts } from './support/working-hosts.js'

const ROUNDS = scaled(4, 1)
const HOSTS = 100
const IDLE = scaled(10_000, 2_000)
const BEATING = 10
const WORKERS = 4
const SLOW_HOSTS = 20
const CALM_MS = scaled(20_000, 8_000)
const SETTLING_MS = 3_000
const MEGABYTE = 1024 * 1024
/** Above what the engine has when it begins. */
const MOST_MORE_MB = 256
/** The p95 during an abuse, as a multiple of the calm one; below the floor nothing is made of it. */
const MOST_TIMES = 2
const FLOOR_MS = { heartbeats: 25, commands: 100 } as const
/** Samples of which a p95 is told. */
const ENOUGH = 200
/** Connections of the abuser, and whatever else a process has. */
const OPEN_FILES = IDLE + 1_000
const figures = new Figures('Abuse of the port that agents dial')
const ground = new Ground()
let plane: Plane
let simulation: Simulation
let working: WorkingHosts
let code: number | null
let sampling: NodeJS.Timeout
const met: Record<string, string> = {}
/** When each group of abuses was at work. */
const spans = new Map<string, Span[]>()
const calm: Span[] = []
const residentMb: number[] = []

beforeAll(async () => {
  requireOpenFiles(OPEN_FILES)
  plane = await Plane.start(ground)
  simulation = new Simulation(ground, plane, HOSTS)
  working = await WorkingHosts.start(plane, await simulation.hostsUp(plane), { beating: BEATING, workers: WORKERS })
  await pause(SETTLING_MS)
  sampling = setInterval(() => residentMb.push(plane.residentBytes() / MEGABYTE), 100)
  calm.push(await span(() => pause(CALM_MS)))
  figures.add('engine memory, before', `${Math.round(Math.max(...residentMb))} MB`)
  await abuse()
  note('a deaf host', await span(deafHost))
  note('a half-open host', await span(halfOpen))
  await pause(SETTLING_MS)
  // the machine may have others who load it: what is calm is looked at before and after
  calm.push(await span(() => pause(CALM_MS)))
  await working.stop()
  report()
})

afterAll(async () => {
  clearInterval(sampling)
  figures.print()
  await working?.stop()
  await simulation?.stop()
  await plane?.stop()
  ground.clear()
})

async function span(act: () => Promise<unknown>): Promise<Span> {
  const fromMs = Date.now()
  await act()
  return { fromMs, untilMs: Date.now() }
}

function note(group: string, at: Span): void {
  spans.set(group, [...(spans.get(group) ?? []), at])
}

async function abuse(): Promise<void> {
  const program = ground.run(
    [
      process.execPath,
      fromRoot('test/trial/abuser/main.mjs'),
      plane.tcp.host,
      String(plane.tcp.port),
      String(seed),
      String(ROUNDS),
      String(IDLE),
      await identitiesFile(),
    ],
    {},
  )
  ;({ code } = await program.ended)
  if (program.stderr !== '') met.abuser = `FAILED: ${program.stderr}`
  for (const line of program.stdout.split('\n').filter((text) => text !== '')) {
    const { group, met: these, ...at } = JSON.parse(line)
    note(group, at)
    for (const [name, what] of Object.entries<string>(these)) {
      // of several rounds the one that failed is told
      if (!met[name]?.startsWith('FAILED')) met[name] = what
    }
  }
}

/** For a program that is none of ours. */
async function identitiesFile(): Promise<string> {
  const path = ground.path('identities.json')
  const hosts = Array.from({ length: SLOW_HOSTS }, async (_, n) => {
    const { host, said } = helloOf(`abuser-${n}`)
    return { identity: await plane.tcp.identityOf(host), hello: said }
  })
  const many = await plane.tcp.identityOf('abuser')
  writeFileSync(path, JSON.stringify({ many, hosts: await Promise.all(hosts) }), { mode: 0o600 })
  return path
}

/** A host with a session that asks and asks, and never reads an answer. */
async function deafHost(): Promise<void> {
  const path = ground.path('deaf.json')
  writeFileSync(path, JSON.stringify(await plane.tcp.identityOf('deaf')), { mode: 0o600 })
  const source = `
    import { readFileSync } from 'node:fs'
    import { connect } from 'node:tls'
    const frame = (packet) => { const text = JSON.stringify(packet); return text.length + '#' + text }
    const hello = ${JSON.stringify(helloOf('deaf').said)}
    const { key, certificate: cert, authorities: ca } = JSON.parse(readFileSync('${path}'))
    const socket = connect({ key, cert, ca, servername: 'engine.keelson', host: '127.0.0.1', port: ${plane.tcp.port} })
    socket.on('error', () => {}).on('close', () => process.exit())
    socket.write(frame({ pattern: { session: 'open' }, data: hello, id: 'open' }))
    socket.once('data', () => {
      socket.pause()
      const beats = frame({ pattern: { session: 'heartbeat' }, data: { epoch: 1 }, id: 'beat' }).repeat(2_000)
      const write = () => { while (socket.write(beats)); }
      socket.on('drain', write)
      write()
    })
    setTimeout(() => process.exit(), 10_000)`
  const startedMs = performance.now()
  await ground.run([process.execPath, '--input-type=module', '--eval', source]).ended
  met['deaf host'] = `over after ${Math.round(performance.now() - startedMs)} ms`
}

/** A host that is there for TCP and for nobody else: its process is stopped. */
async function halfOpen(): Promise<void> {
  const agent = await WireAgent.open(plane.tcp, helloOf('half-open'))
  const startedMs = performance.now()
  let status = 'Up'
  while (status === 'Up' && performance.now() - startedMs < 30_000) {
    await pause(250)
    status = (await plane.rest.get(`/api/v1/hosts/${agent.hostId}`)).body.status
  }
  met['half-open host'] = `${status} after ${Math.round(performance.now() - startedMs)} ms`
  agent.vanish()
}

/** Per group, what the hosts felt of it. */
const felt = () => [...spans].map(([group, at]) => ({ group, ...measured(at) }))
const measured = (at: readonly Span[]) => ({
  lengthMs: at.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0),
  heartbeats: working.beatsIn(at),
  commands: working.commandsIn(at),
})

function report(): void {
  for (const [name, what] of Object.entries(met)) figures.add(`met by ${name}`, what)
  for (const { group, lengthMs, heartbeats, commands } of [{ group: 'calm', ...measured(calm) }, ...felt()]) {
    figures.add(`time, ${group}`, `${Math.round(lengthMs / 1_000)} s`)
    figures.add(`heartbeats, ${group}`, inMs(heartbeats))
    figures.add(`commands, ${group}`, inMs(commands))
  }
  figures.add('engine memory, most', `${Math.round(Math.max(...residentMb))} MB`)
  figures.add('engine memory, after', `${Math.round(plane.residentBytes() / MEGABYTE)} MB`)
}

describe('an engine whose TCP port is abused', () => {
  it('cuts off each abuser, and answers what is well-formed', () => {
    expect(Object.entries(met).filter(([, what]) => what.startsWith('FAILED'))).toEqual([])
    expect(code).toBe(0)
  })

  it('finds a half-open host by its silence', () => {
    expect(met['half-open host']).toContain('NonResponsive')
  })

  it('keeps its memory bounded', () => {
    expect(Math.max(...residentMb) - (residentMb[0] ?? 0)).toBeLessThan(MOST_MORE_MB)
  })

  it.each(['heartbeats', 'commands'] as const)('has the %s of the others take less than twice as long', (kind) => {
    const calmMs = quantile(measured(calm)[kind], 0.95)
    const mostMs = Math.max(MOST_TIMES * calmMs, FLOOR_MS[kind])
    const judged = [{ group: 'all', ...measured([...spans.values()].flat()) }, ...felt()]
    // the p95 of a few is but the longest: what is over sooner is judged with all the others
    const longer = judged
      .filter((group) => group[kind].length >= ENOUGH)
      .map((group) => [group.group, quantile(group[kind], 0.95)] as const)
    expect(longer.map(([group]) => group)).toContain('all')
    expect(longer.filter(([, p95Ms]) => !(p95Ms < mostMs))).toEqual([])
  })

  it('fails no heartbeat and no command of other hosts, and loses none of them', async () => {
    expect(working.failures).toEqual([])
    const hosts = await plane.rest.all('/api/v1/hosts')
    const down = hosts.filter(({ status, name }) => status !== 'Up' && name.startsWith('sim-'))
    expect(down).toEqual([])
  })
})
