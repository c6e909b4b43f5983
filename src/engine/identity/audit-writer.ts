import { setTimeout as pause } from 'node:timers/promises'
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'
import { isDatabaseOutage } from '../platform/database-outage.js'
import { AuditChain } from './audit-chain.js'

/** Rows of other replicas that died, and those that waited for an open transaction, are found by this. */
const POLL_MS = 1_000
/** Rows gather meanwhile: under load a transaction chains many. */
const GATHER_MS = 50
/** A row may wait for a transaction that is still open: so many looks, and then the poll. */
const LOOKS_FOR_NEWS = 4

/** Wakes for each new row of this replica, and chains what there is from all of them. */
@Injectable()
export class AuditWriter implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger(AuditWriter.name)
  private looksDue = 1
  private wake: () => void = () => undefined
  private stopped = false
  private running: Promise<void> = Promise.resolve()

  constructor(private readonly chain: AuditChain) {}

  /** There is a row to be chained. */
  ring(): void {
    this.looksDue = LOOKS_FOR_NEWS
    this.wake()
  }

  onApplicationBootstrap(): void {
    this.running = this.run()
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true
    this.wake()
    await this.running
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      if (this.looksDue === 0) await this.rung()
      else await pause(GATHER_MS)
      this.looksDue = Math.max(0, this.looksDue - 1)
      await this.look()
    }
  }

  private async look(): Promise<void> {
    try {
      while (!this.stopped && (await this.chain.append()));
    } catch (error) {
      const level = isDatabaseOutage(error) ? 'debug' : 'warn'
      this.log[level]({ err: error }, 'the audit log cannot be chained: trying again')
    }
  }

  private async rung(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.wake = resolve
      timer = setTimeout(resolve, POLL_MS)
    })
    clearTimeout(timer)
  }
}
