import { createHash } from 'node:crypto'
import { access, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadBalancerIntent } from '../../../../wire/balancing/intent.js'
import type { Fault } from '../../../../wire/session.js'
import { faultOf, makeFault } from '../../../fault.js'
import type { Run } from '../../../host/run.js'
import type { Logger } from '../../../logger.js'
import type { VipPlace, VipPlaces } from '../../../networks/vip-place.js'
import type { Sighting, WantedBalancer } from '../../driver.js'
import { checksOf, type Found } from './checks.js'
import { listenerStatistics } from './connections.js'
import { NginxControl } from './control.js'
import { pruneKeys, writeKeys } from './key-files.js'
import { MemberWatch } from './member-watch.js'
import { type Prepared, planOf } from './prepared.js'
import { type BalancerRecord, readRecord, writeRecord } from './record.js'
import { renderNginx } from './render.js'
import { allMembers, isUsable, type SeenWell } from './servers.js'
import { statusesOf } from './statuses.js'

/** What open connections get to end by themselves when their balancer is removed. */
const GRACE_MS = 3000
const MAX_COMPLAINTS = 5

export interface NginxBalancerOptions {
  readonly id: string
  /** Real, without links: processes are known by it. */
  readonly directory: string
  readonly streamModule: string
  readonly run: Run
  readonly places: VipPlaces
  readonly logger: Logger
  readonly checkerScript?: string
}

/** One balancer and its nginx. One thing at a time. */
export class NginxBalancer {
  readonly control: NginxControl
  private readonly watch: MemberWatch
  private record: BalancerRecord | null = null
  private tail: Promise<unknown> = Promise.resolve()

  constructor(readonly options: NginxBalancerOptions) {
    const { directory, run, logger, checkerScript } = options
    this.control = new NginxControl(directory, run)
    this.watch = new MemberWatch({
      onChanged: async () => {
        await this.inTurn(() => this.takeFindings())
      },
      directory,
      logger,
      ...(checkerScript !== undefined && { checkerScript }),
    })
  }

  apply(wanted: WantedBalancer, prepared: Prepared, signal: AbortSignal): Promise<void> {
    return this.inTurn(async () => {
      const before = await this.resume()
      try {
        await this.bring(wanted, prepared, before, signal)
      } catch (error) {
        // of what never was there is nothing to go on with
        if (before === null) await this.clear().catch(() => undefined)
        throw error
      }
    })
  }

  /** Null: there is none. What has died, or was left half way, is brought back. */
  observe(): Promise<Sighting | null> {
    return this.inTurn(async () => {
      const found = await this.resume()
      if (found === null) return null
      let fault: Fault | null = null
      let record = found
      try {
        record = await this.mend(found)
        await this.control.boundLog()
      } catch (error) {
        fault = faultOf(error)
      }
      const master = await this.control.master()
      const statuses = statusesOf(record.balancer, (id) => this.watch.foundOf(id), master !== null)
      const statistics = master === null ? {} : await listenerStatistics(master.pid, record.balancer)
      return {
        status: statuses[record.balancer.id]!,
        fault: fault ?? this.complaint(),
        detail: { statuses, statistics },
      }
    })
  }

  remove(): Promise<void> {
    return this.inTurn(() => this.clear())
  }

  /** What it would be rendered with now. */
  seenWellFor(balancer: LoadBalancerIntent): Promise<SeenWell> {
    return this.inTurn(async () => {
      await this.resume()
      return this.wellAmong(balancer)
    })
  }

  /** This driver looks no longer; nginx goes on. */
  close(): Promise<void> {
    return this.inTurn(async () => {
      this.watch.stop()
      this.record = null
    })
  }

  private async bring(
    { balancer, keys }: WantedBalancer,
    prepared: Prepared,
    before: BalancerRecord | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { id, directory, places } = this.options
    await mkdir(join(directory, 'temporary'), { recursive: true, mode: 0o700 })
    await writeKeys(directory, balancer, prepared.certificates, keys)
    const place = await places.ensure(id, balancer.vip)
    const known = this.knownFrom(before)
    const content = { balancer, place, certificates: [...prepared.certificates] }
    const seenWell = this.wellAmong(balancer)
    const whole = this.textOf(content, allMembers(balancer))
    if (whole !== this.textOf(content, seenWell)) await this.control.require(whole, place, signal)
    // a process cannot go to another namespace
    if (before !== null && before.place.namespace !== place.namespace) await this.control.stop(GRACE_MS)
    await this.putWith(content, seenWell, before, signal)
    this.watch.follow(prepared.checks, place, known)
    await pruneKeys(directory, prepared.certificates)
  }

  /** Has it in force, unless it is, and on disk after that. */
  private async putWith(
    content: Pick<BalancerRecord, 'balancer' | 'place' | 'certificates'>,
    seenWell: SeenWell,
    before: BalancerRecord | null,
    signal?: AbortSignal,
  ): Promise<BalancerRecord> {
    const text = this.textOf(content, seenWell)
    const isInForce = before?.digest === digestOf(text) && (await this.isAsPut(before))
    if (!isInForce) await this.control.put(text, content.place, signal)
    this.record = await writeRecord(this.options.directory, {
      ...content,
      seenWell: [...seenWell],
      digest: digestOf(text),
    })
    return this.record
  }

  private textOf(
    { balancer, certificates }: Pick<BalancerRecord, 'balancer' | 'certificates'>,
    seenWell: SeenWell,
  ): string {
    return renderNginx(planOf(this.options, balancer, new Map(certificates), seenWell))
  }

  private async isAsPut({ digest }: BalancerRecord): Promise<boolean> {
    const current = await this.control.current()
    if (!this.control.settled || current === null || digestOf(current) !== digest) return false
    return (await this.control.master()) !== null
  }

  /** What the disk says is in force, with its members watched. Null: nothing is. */
  private async resume(): Promise<BalancerRecord | null> {
    const record = await readRecord(this.options.directory)
    if (record === null) this.watch.stop()
    else if (record.stamp !== this.record?.stamp) {
      this.watch.follow(checksOf(record.balancer), record.place, this.knownFrom(record))
    }
    this.record = record
    return record
  }

  private async mend(record: BalancerRecord): Promise<BalancerRecord> {
    if (await this.isAsPut(record)) return (await this.takeFindings()) ?? record
    const { id, places, logger } = this.options
    logger.warn({ balancer: id }, 'the nginx of a load balancer is not as it was left: it is brought back')
    const isThere = record.place.namespace !== null && (await hasNamespace(record.place.namespace))
    // in a place that is there, the VIP may be down on purpose
    const place: VipPlace = isThere ? record.place : await places.ensure(id, record.balancer.vip)
    const brought = await this.putWith({ ...record, place }, this.wellAmong(record.balancer), record)
    this.watch.follow(checksOf(record.balancer), place, this.knownFrom(record))
    return brought
  }

  /** Members that have come up or gone down since. */
  private async takeFindings(): Promise<BalancerRecord | null> {
    const record = await readRecord(this.options.directory)
    if (record === null || record.stamp !== this.record?.stamp) {
      // somebody else is in charge by now
      this.watch.stop()
      this.record = null
      return null
    }
    const seenWell = this.wellAmong(record.balancer)
    if (isSame(seenWell, record.seenWell)) return record
    return await this.putWith(record, seenWell, record)
  }

  /** Those of its members that may be used as far as checks go: one that was in use before it was checked remains so. */
  private wellAmong(balancer: LoadBalancerIntent): SeenWell {
    const known = this.knownFrom(this.record)
    const checked = checksOf(balancer).map(({ memberId }) => memberId)
    return new Set(checked.filter((id) => this.watch.knownOr(id, known) === 'well'))
  }

  private knownFrom(record: BalancerRecord | null): (memberId: string) => Found {
    if (record === null) return () => 'not-yet'
    const seenWell = new Set(record.seenWell)
    const used = record.balancer.pools.flatMap((pool) =>
      pool.members.filter((member) => isUsable(pool, member, seenWell)).map((member) => member.id),
    )
    const well = new Set([...record.seenWell, ...used])
    return (memberId) => (well.has(memberId) ? 'well' : 'not-yet')
  }

  private complaint(): Fault | null {
    const complaints = this.watch.complaints
    if (complaints.length === 0) return null
    const words = complaints
      .slice(0, MAX_COMPLAINTS)
      .map(({ memberId, words: why }) => `member ${memberId}: ${why ?? 'down'}`)
    const more = complaints.length - words.length
    return makeFault('balancing.members-down', [...words, ...(more > 0 ? [`and ${more} more`] : [])].join('; '))
  }

  private async clear(): Promise<void> {
    const { id, directory, places } = this.options
    this.watch.stop()
    this.record = null
    await this.control.stop(GRACE_MS)
    await places.remove(id)
    await rm(directory, { recursive: true, force: true })
    this.control.settled = true
  }

  private inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.tail.then(step)
    this.tail = turn.catch(() => undefined)
    return turn
  }
}

const isSame = (left: SeenWell, right: readonly string[]) =>
  left.size === right.length && right.every((id) => left.has(id))

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')

const hasNamespace = (name: string): Promise<boolean> =>
  access(join('/run/netns', name)).then(
    () => true,
    () => false,
  )
