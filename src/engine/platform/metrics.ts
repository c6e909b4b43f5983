import { Injectable, Logger, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Pool } from 'pg'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { Database } from './database.js'

export interface GaugeOptions<L extends string> {
  /** With its prefix and unit: `keelson_commands`, `keelson_lag_seconds`. */
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly L[]
  /** Called at each scrape; what it does not set again is gone from the next one. When it fails, the gauge is left out. */
  readonly collect: (gauge: Gauge<L>) => void | Promise<void>
}

export interface CounterOptions<L extends string> {
  /** With its prefix: `keelson_handshakes_total`. */
  readonly name: string
  readonly help: string
  readonly labelNames: readonly L[]
  /** Called at each scrape on a counter at zero; adds all that was counted since the start. */
  readonly collect: (counter: Counter<L>) => void
}

/** A scrape has a limit of its own, and a database that hangs must not use it up. */
const COLLECT_TIMEOUT_MS = 2_000

/** What `/metrics` tells: a registry per engine, so that two in one process do not meet. */
@Injectable()
export class Metrics implements OnModuleInit {
  private readonly log = new Logger(Metrics.name)
  private readonly registry = new Registry()
  private readonly requests = new Histogram({
    name: 'keelson_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its reply, by route',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [this.registry],
  })

  constructor(
    private readonly database: Database,
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
  ) {}

  get contentType(): string {
    return this.registry.contentType
  }

  onModuleInit(): void {
    collectDefaultMetrics({ register: this.registry })
    this.adapterHost.httpAdapter?.setOnResponseHook((request, reply, done) => {
      this.observe(request, reply)
      done()
    })
    this.gauge({
      name: 'keelson_database_connections',
      help: 'Connections of the pool, and requests that wait for one',
      labelNames: ['state'],
      collect: (gauge) => this.countConnections(gauge),
    })
  }

  gauge<L extends string>({ name, help, labelNames = [], collect }: GaugeOptions<L>): void {
    const { log } = this
    new Gauge<L>({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      async collect() {
        this.reset()
        try {
          await inTime(collect(this))
        } catch (error) {
          log.debug({ err: error, name }, 'a gauge is left out')
          leaveOut(this)
        }
      },
    })
  }

  counter<L extends string>({ name, help, labelNames, collect }: CounterOptions<L>): void {
    new Counter<L>({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect() {
        this.reset()
        collect(this)
      },
    })
  }

  text(): Promise<string> {
    return this.registry.metrics()
  }

  private observe(request: FastifyRequest, reply: FastifyReply): void {
    // the template, never the path: a label per id would grow without end
    const route = request.routeOptions.url ?? 'unknown'
    this.requests.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1_000)
  }

  private countConnections(gauge: Gauge<'state'>): void {
    // the driver keeps its pg pool as `master`, typed any
    const { master: pool } = this.database.dataSource.driver as unknown as { master?: Pool }
    if (!pool) return
    gauge.set({ state: 'busy' }, pool.totalCount - pool.idleCount)
    gauge.set({ state: 'idle' }, pool.idleCount)
    gauge.set({ state: 'waiting' }, pool.waitingCount)
  }
}

async function inTime(collecting: void | Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${COLLECT_TIMEOUT_MS} ms`)), COLLECT_TIMEOUT_MS)
  })
  await Promise.race([collecting, late]).finally(() => clearTimeout(timer))
}

function leaveOut<L extends string>(gauge: Gauge<L>): void {
  gauge.reset()
  // without labels a reset gauge is 0, which would be a lie
  gauge.remove({})
}
