import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fromRoot } from '../support/process.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { Figures, inMs, quantile } from './support/figures.js'
import { Ground } from './support/ground.js'
import { Plane } from './support/plane.js'
import type { Body } from './support/rest.js'
import { Chance, scaled, seed } from './support/scale.js'
import { Simulation } from './support/simulation.js'

const ROUNDS = scaled(4, 1)
const HOSTS = 50
const IDLE = scaled(10_000, 2_000)
const BEATING = 10
const MEGABYTE = 1024 * 1024
/** Above what the engine has when it begins. */
const MOST_MORE_MB = 256
const UNHARMED_P95_MS = 500
const figures = new Figures('Abuse of the port that agents dial')
const chance = new Chance('wire-abuse')
const ground = new Ground()
let plane: Plane
let simulation: Simulation
let hosts: Body[]
let abuse: { code: number | null; met: Record<string, string> }
let agents: WireAgent[]
const timers: NodeJS.Timeout[] = []
const beatsMs: number[] = []
const commandsMs: number[] = []
const failures: string[] = []
const residentMb: number[] = []
let measuring = true

beforeAll(async () => {
  plane = await Plane.start(ground)
  simulation = new Simulation(ground, plane, HOSTS)
  hosts = await simulation.hostsUp(plane)
  const hellos = Array.from({ length: BEATING }, (_, n) => helloOf(`beating-${n}`))
  agents = await Promise.all(hellos.map((hello) => WireAgent.open(plane.tcp, hello)))
  for (const agent of agents) timers.push(setInterval(() => void beat(agent), 250))
  timers.push(setInterval(() => residentMb.push(plane.residentBytes() / MEGABYTE), 100))
  const working = work()
  await pause(3_000)
  const calm = { beats: inMs(beatsMs), commands: inMs(commandsMs), resident: Math.max(...residentMb) }
  figures.add('before: heartbeats', calm.beats)
  figures.add('before: commands', calm.commands)
  figures.add('before: engine memory', `${Math.round(calm.resident)} MB`)
  for (const list of [beatsMs, commandsMs]) list.length = 0
  const program = ground.run(
    [
      process.execPath,
      fromRoot('test/trial/wire-abuser.mjs'),
      plane.tcp.host,
      String(plane.tcp.port),
      String(seed),
      String(ROUNDS),
      String(IDLE),
      await identityFile('abuser'),
    ],
    {},
  )
  const { code } = await program.ended
  abuse = { code, met: JSON.parse(program.stdout || `{"none": ${JSON.stringify(program.stderr)}}`) }
  await deafHost()
  await halfOpen()
  measuring = false
  await working
  for (const [name, what] of Object.entries(abuse.met)) figures.add(`met by ${name}`, what)
  figures.add('during: heartbeats', inMs(beatsMs))
  figures.add('during: commands', inMs(commandsMs))
  figures.add('during: engine memory, most', `${Math.round(Math.max(...residentMb))} MB`)
  figures.add('after: engine memory', `${Math.round(plane.residentBytes() / MEGABYTE)} MB`)
})

afterAll(async () => {
  for (const timer of timers) clearInterval(timer)
  for (const agent of agents ?? []) agent.vanish()
  figures.print()
  await simulation?.stop()
  await plane?.stop()
  ground.clear()
})

async function beat(agent: WireAgent): Promise<void> {
  const startedMs = performance.now()
  try {
    expect(await agent.beat()).toEqual({ ok: true })
    beatsMs.push(performance.now() - startedMs)
  } catch (error) {
    failures.push(`heartbeat: ${(error as Error).message}`)
  }
}

/** One connection after the other, from the request to ACTIVE. */
async function work(): Promise<void> {
  for (let n = 0; measuring; n += 1) {
    const host = chance.pick(hosts)
    const startedMs = performance.now()
    try {
      const { status } = await plane.put(host.id, `work-${n}`, `local:///srv/work-${n}`)
      expect(status).toBe(202)
      await plane.connection(host.id, `work-${n}`, { provisioningStatus: 'ACTIVE' }, 10_000)
      commandsMs.push(performance.now() - startedMs)
    } catch (error) {
      failures.push(`command: ${(error as Error).message}`)
    }
    await pause(100)
  }
}

/** For a program that is none of ours. */
async function identityFile(name: string): Promise<string> {
  const path = ground.path(`${name}.json`)
  writeFileSync(path, JSON.stringify(await plane.tcp.identityOf(name)))
  return path
}

/** A host with a session that asks and asks, and never reads an answer. */
async function deafHost(): Promise<void> {
  const source = `
    import { readFileSync } from 'node:fs'
    import { connect } from 'node:tls'
    const frame = (packet) => { const text = JSON.stringify(packet); return text.length + '#' + text }
    const hello = ${JSON.stringify(helloOf('deaf').said)}
    const { key, certificate: cert, authorities: ca } = JSON.parse(readFileSync('${await identityFile('deaf')}'))
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
  abuse.met['deaf host'] = `over after ${Math.round(performance.now() - startedMs)} ms`
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
  abuse.met['half-open host'] = `${status} after ${Math.round(performance.now() - startedMs)} ms`
  agent.vanish()
}

describe('an engine whose TCP port is abused', () => {
  it('cuts off each abuser, and answers what is well-formed', () => {
    expect(abuse).toMatchObject({ code: 0 })
    expect(Object.values(abuse.met).filter((what) => what.startsWith('FAILED'))).toEqual([])
  })

  it('finds a half-open host by its silence', () => {
    expect(abuse.met['half-open host']).toContain('NonResponsive')
  })

  it('keeps its memory bounded', () => {
    expect(Math.max(...residentMb) - (residentMb[0] ?? 0)).toBeLessThan(MOST_MORE_MB)
  })

  it('harms no heartbeat and no command of other hosts', async () => {
    expect(failures).toEqual([])
    expect(quantile(beatsMs, 0.95)).toBeLessThan(UNHARMED_P95_MS)
    expect(quantile(commandsMs, 0.95)).toBeLessThan(UNHARMED_P95_MS)
    const down = (await plane.rest.all('/api/v1/hosts')).filter(
      ({ status, name }) => status !== 'Up' && !['half-open', 'deaf', 'abuser'].includes(name),
    )
    expect(down).toEqual([])
  })
})
