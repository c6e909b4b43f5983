import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import { Database } from './database.js'
import { ReplicaIdentity } from './replica-identity.js'

/** After an unfinished turn the next one is due at once, behind whatever else is. */
export type TurnEnd = 'finished' | 'unfinished'

export interface ScheduleSpec {
  readonly name: string
  readonly everyMs: number
  readonly meaning: string
  /** How long a turn may take before another replica may begin one. */
  readonly leaseMs?: number
  readonly run: () => Promise<void> | Promise<TurnEnd>
}

const TICK_MS = 500
const LEASE_MS = 60_000

/**
 * Periodic work as rows (E2, E5): each turn is claimed by whichever replica comes first, by a lease column and the
 * database's clock. A replica that dies in a turn costs its lease, not the work.
 */
@Injectable()
export class Schedules implements OnApplicationShutdown {
  private readonly log = new Logger(Schedules.name)
  private readonly specs = new Map<string, ScheduleSpec>()
  private timer: NodeJS.Timeout | null = null
  private turn: Promise<void> | null = null

  constructor(
    private readonly database: Database,
    private readonly replica: ReplicaIdentity,
  ) {}

  register(spec: ScheduleSpec): void {
    if (this.specs.has(spec.name)) throw new Error(`two schedules are called ${spec.name}`)
    this.specs.set(spec.name, spec)
  }

  spec(name: string): ScheduleSpec | undefined {
    return this.specs.get(name)
  }

  async start(): Promise<void> {
    await this.database.dataSource.query(
      'INSERT INTO schedules (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING',
      [[...this.specs.keys()]],
    )
    this.timer = setInterval(() => this.tick(), TICK_MS)
    this.timer.unref()
  }

  /** Ends the ticking and waits for the turn in progress. */
  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
    await this.turn
  }

  async onApplicationShutdown(): Promise<void> {
    await this.stop()
  }

  private tick(): void {
    if (this.turn) return
    this.turn = this.runDue()
      .catch((error: unknown) => this.log.debug({ err: error }, 'schedules cannot be looked at'))
      .finally(() => {
        this.turn = null
      })
  }

  private async runDue(): Promise<void> {
    for (let spec = await this.claim(); spec && this.timer; spec = await this.claim()) await this.run(spec)
  }

  /** A lease of our own is of a turn whose end could not be written: there is only one turn at a time. */
  private async claim(): Promise<ScheduleSpec | null> {
    const [rows] = await this.database.dataSource.query(
      `UPDATE schedules SET leased_by = $1, last_started_at = now(), lease_until = now() + interval '1 millisecond' * (
         SELECT ms FROM unnest($2::text[], $3::int[]) AS l(name, ms) WHERE l.name = schedules.name)
       WHERE name = (
         SELECT name FROM schedules
         WHERE name = ANY($2) AND next_run_at <= now()
           AND (lease_until IS NULL OR lease_until < now() OR leased_by = $1)
         ORDER BY next_run_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING name`,
      [this.replica.id, [...this.specs.keys()], [...this.specs.values()].map((s) => s.leaseMs ?? LEASE_MS)],
    )
    return this.specs.get(rows[0]?.name) ?? null
  }

  private async run(spec: ScheduleSpec): Promise<void> {
    const startedMs = performance.now()
    let failure: string | null = null
    let afterMs = spec.everyMs
    try {
      if ((await spec.run()) === 'unfinished') afterMs = 0
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error)
      this.log.warn({ err: error }, `schedule ${spec.name} failed`)
    }
    await this.database.dataSource.query(
      `UPDATE schedules SET lease_until = NULL, last_duration_ms = $3, last_outcome = $4, last_error = $5,
         next_run_at = now() + $6::float8 * interval '1 millisecond'
       WHERE name = $1 AND leased_by = $2`,
      [
        spec.name,
        this.replica.id,
        Math.round(performance.now() - startedMs),
        failure ? 'failed' : 'succeeded',
        failure,
        afterMs,
      ],
    )
  }
}
