import { Injectable, Logger } from '@nestjs/common'
import { Events } from '../../events/events.service.js'
import { Database, type Tx } from '../../platform/database.js'
import type { Blocker } from '../../platform/drains.js'
import { DomainError } from '../../platform/errors.js'
import type { TurnEnd } from '../../platform/schedules.js'
import { loadBalancer, lockBalancer } from '../tree.queries.js'
import { BalancerMoves } from './balancer-moves.js'
import { DeviceTakeovers } from './device-takeovers.js'
import { isLeaving, listArrivals, listOnHost, listSilenced, listStalled } from './move.queries.js'

const BATCH = 50
const DRAINED_AT_ONCE = 20
const BLOCKERS_SHOWN = 1_000

/** Moves what nobody asks for: off hosts that fell silent, and off those that are to be in maintenance. */
@Injectable()
export class MoveSweep {
  private readonly log = new Logger(MoveSweep.name)

  constructor(
    private readonly database: Database,
    private readonly moves: BalancerMoves,
    private readonly takeovers: DeviceTakeovers,
    private readonly events: Events,
  ) {}

  /** A transaction for each: one that cannot be moved keeps nobody else. */
  async run(): Promise<TurnEnd> {
    const takenOver = await this.takeovers.run()
    const { graceMs } = this.moves
    const arriving = await this.database.statement((tx) => listArrivals(tx, graceMs, BATCH))
    for (const id of arriving) await this.locked(id, (tx) => this.arrive(tx, id))
    const stalled = await this.database.statement((tx) => listStalled(tx, BATCH))
    for (const id of stalled) await this.locked(id, (tx) => this.giveUp(tx, id))
    const silenced = await this.database.statement((tx) => listSilenced(tx, graceMs, BATCH))
    let moved = 0
    for (const id of silenced) if (await this.locked(id, (tx) => this.leaveSilent(tx, id))) moved++
    const more = takenOver === 'unfinished' || arriving.length === BATCH || (silenced.length === BATCH && moved > 0)
    return more ? 'unfinished' : 'finished'
  }

  /** What is still there begins to leave, and stands in the way until it has. */
  async drain(tx: Tx, hostId: string): Promise<Blocker[]> {
    const there = await listOnHost(tx, hostId, BLOCKERS_SHOWN)
    const staying = there.filter(
      ({ moving, provisioningStatus }) => !moving && ['ACTIVE', 'ERROR'].includes(provisioningStatus),
    )
    const refusals = new Map<string, string>()
    for (const { id } of staying.slice(0, DRAINED_AT_ONCE)) {
      const refusal = await this.depart(tx, id)
      if (refusal) refusals.set(id, refusal)
    }
    return there.map(({ id }) => ({ noun: 'load-balancer', id, reason: refusals.get(id) ?? 'it has not left yet' }))
  }

  /** @returns why it cannot */
  private async depart(tx: Tx, id: string): Promise<string | null> {
    if ((await lockBalancer(tx, id, null)) === null) return null
    const loaded = await loadBalancer(tx, id)
    if (!loaded || loaded.tree.loadBalancer.movingFromDeviceId !== null) return null
    if (await isLeaving(tx, loaded.tree.loadBalancer)) return 'it is to go: its deletion has not been confirmed'
    try {
      await this.moves.depart(tx, loaded)
      return null
    } catch (error) {
      if (error instanceof DomainError) return error.message
      throw error
    }
  }

  /** Looked at again under its lock: its host may be back. */
  private async leaveSilent(tx: Tx, id: string): Promise<void> {
    const [still] = await listSilenced(tx, this.moves.graceMs, 1, id)
    const loaded = still ? await loadBalancer(tx, still) : null
    if (!loaded) return
    await this.moves.depart(tx, loaded)
    await this.moves.arrive(tx, id)
  }

  private async arrive(tx: Tx, id: string): Promise<void> {
    const [still] = await listArrivals(tx, this.moves.graceMs, 1, [id])
    if (still) await this.moves.arrive(tx, still)
  }

  private async giveUp(tx: Tx, id: string): Promise<void> {
    const [still] = await listStalled(tx, 1, id)
    const loaded = still ? await loadBalancer(tx, still) : null
    if (loaded)
      await this.events.append(tx, await this.moves.giveUp(tx, loaded.tree.loadBalancer, 'its answer was lost'))
  }

  private async locked(id: string, work: (tx: Tx) => Promise<void>): Promise<boolean> {
    try {
      await this.database.transaction(async (tx) => {
        if ((await lockBalancer(tx, id, null)) !== null) await work(tx)
      })
      return true
    } catch (error) {
      if (!(error instanceof DomainError)) throw error
      this.log.warn(`load balancer ${id} stays where it is: ${error.message}`)
      return false
    }
  }
}
