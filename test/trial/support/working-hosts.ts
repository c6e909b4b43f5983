import { setTimeout as pause } from 'node:timers/promises'
import { helloOf, WireAgent } from '../../support/wire-agent.js'
import type { Plane } from './plane.js'
import type { Body } from './rest.js'
import { Chance } from './scale.js'

const BEAT_MS = 250
const BETWEEN_COMMANDS_MS = 100
const LOOK_MS = 10
const COMMAND_MS = 15_000
const KEPT_FAILURES = 20

/** From one moment to another, by the clock that all processes share. */
export interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

interface Sample {
  readonly atMs: number
  readonly tookMs: number
}

/** The same load all the time, with each heartbeat and command measured: hosts at work, whatever is done beside them. */
export class WorkingHosts {
  readonly failures: string[] = []
  private readonly beats: Sample[] = []
  private readonly commands: Sample[] = []
  private readonly chance = new Chance('working-hosts')
  private readonly timers: NodeJS.Timeout[] = []
  private workers: Promise<void>[] = []
  private stopped = false

  private constructor(
    private readonly plane: Plane,
    private readonly hosts: readonly Body[],
    private readonly agents: readonly WireAgent[],
  ) {}

  /** @param hosts who are given commands, by `workers` at once; `beating` further ones have their heartbeats measured */
  static async start(
    plane: Plane,
    hosts: readonly Body[],
    { beating, workers }: { readonly beating: number; readonly workers: number },
  ): Promise<WorkingHosts> {
    const hellos = Array.from({ length: beating }, (_, n) => helloOf(`beating-${n}`))
    const agents = await Promise.all(hellos.map((hello) => WireAgent.open(plane.tcp, hello)))
    const working = new WorkingHosts(plane, hosts, agents)
    for (const agent of agents) working.timers.push(setInterval(() => void working.beat(agent), BEAT_MS))
    working.workers = Array.from({ length: workers }, (_, worker) => working.work(worker))
    return working
  }

  beatsIn(spans: readonly Span[]): number[] {
    return within(this.beats, spans)
  }

  commandsIn(spans: readonly Span[]): number[] {
    return within(this.commands, spans)
  }

  async stop(): Promise<void> {
    this.stopped = true
    for (const timer of this.timers) clearInterval(timer)
    await Promise.all(this.workers)
    for (const agent of this.agents) agent.vanish()
  }

  private async beat(agent: WireAgent): Promise<void> {
    await this.measure('heartbeat', this.beats, async () => {
      expect(await agent.beat()).toEqual({ ok: true })
    })
  }

  /** One connection after the other, from the request to ACTIVE. */
  private async work(worker: number): Promise<void> {
    for (let n = 0; !this.stopped; n += 1) {
      await this.measure('command', this.commands, () => this.carryOut(`work-${worker}-${n}`))
      await pause(BETWEEN_COMMANDS_MS)
    }
  }

  private async carryOut(id: string): Promise<void> {
    const host = this.chance.pick(this.hosts)
    const { status } = await this.plane.put(host.id, id, `local:///srv/${id}`)
    expect(status).toBe(202)
    const path = `/api/v1/hosts/${host.id}/storage-connections/${id}`
    const untilMs = performance.now() + COMMAND_MS
    for (;;) {
      const { body } = await this.plane.rest.get(path)
      if (body?.provisioningStatus === 'ACTIVE') return
      if (performance.now() > untilMs) throw new Error(`not ACTIVE in time: ${JSON.stringify(body)}`)
      await pause(LOOK_MS)
    }
  }

  private async measure(what: string, samples: Sample[], act: () => Promise<void>): Promise<void> {
    const atMs = Date.now()
    const startedMs = performance.now()
    try {
      await act()
    } catch (error) {
      if (!this.stopped && this.failures.length < KEPT_FAILURES) {
        this.failures.push(`${what}: ${(error as Error).message}`)
      }
      return
    }
    samples.push({ atMs, tookMs: performance.now() - startedMs })
  }
}

/** Of what had begun by the end of a span, and was not over at its beginning. */
const within = (samples: readonly Sample[], spans: readonly Span[]): number[] =>
  samples
    .filter(({ atMs, tookMs }) => spans.some(({ fromMs, untilMs }) => atMs < untilMs && atMs + tookMs > fromMs))
    .map(({ tookMs }) => tookMs)
