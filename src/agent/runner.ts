import { type CommandKind, commandKinds } from '../wire/commands.js'
import type { CommandMessage } from '../wire/session.js'
import { act, agentStops, withDeadline } from './acting.js'
import { type Admission, admit, reasonNotToStart } from './admission.js'
import type { BackoffRange } from './backoff.js'
import type { Handlers } from './handlers.js'
import type { Journal } from './journal.js'
import type { KnownCommand, Outcome } from './journal-record.js'
import type { Logger } from './logger.js'
import { expired, failed, interrupted, superseded } from './outcomes.js'
import { askPermit } from './permits.js'
import { createReportOutbox, type ReportOutbox, reportOf } from './reports.js'
import type { CurrentSession } from './session.js'
import { Slots } from './slots.js'

export type RunnerStep = 'received' | 'permitted' | 'started' | 'acted' | 'done' | 'reported'

/** Between every two steps a test or the simulator may stop the world. */
export interface RunnerHooks {
  at(step: RunnerStep, command: KnownCommand): Promise<void>
}

export interface RunnerOptions {
  readonly journal: Journal
  readonly handlers: Handlers
  readonly current: CurrentSession
  readonly logger: Logger
  /** Generation of what the host holds under this subject; undefined when it holds nothing. */
  readonly heldGeneration: (subject: string) => number | undefined
  readonly hooks?: RunnerHooks
  /** How many subjects are acted on at once. */
  readonly parallel?: number
  /** Monotonic milliseconds. */
  readonly now?: () => number
  readonly random?: () => number
  readonly backoff?: BackoffRange
}

type Numbered = Pick<KnownCommand, 'id' | 'seq'>
type Admitted = Extract<Admission, { admitted: true }>

interface Work {
  readonly command: CommandMessage
  readonly kind: CommandKind
  readonly payload: object
  /** By `now`; null: never. */
  readonly deadlineMs: number | null
  readonly received: Promise<void>
  readonly abort: AbortController
  phase: 'queued' | 'acting' | 'ended'
}

/**
 * Carries out each command once: in the order of arrival within a subject, side by side across subjects, with every step
 * that matters in the journal before the next one is taken.
 */
export class Runner {
  private readonly live = new Map<string, Work>()
  private readonly queues = new Map<string, Work[]>()
  private readonly slots: Slots
  private readonly now: () => number
  private readonly reports: ReportOutbox
  private stopping = false

  constructor(private readonly options: RunnerOptions) {
    const { current, logger, backoff, random, parallel = 16, now = () => performance.now() } = options
    this.now = now
    this.slots = new Slots(parallel)
    this.reports = createReportOutbox(current, logger, (ids) => this.recorded(ids), { backoff, random })
    this.takeUpJournal()
  }

  get queue(): { readonly queued: number; readonly acting: number; readonly reporting: number } {
    const acting = this.slots.taken
    return { queued: this.live.size - acting, acting, reporting: this.reports.size }
  }

  accept(command: CommandMessage): void {
    const { journal, logger } = this.options
    if (this.stopping) return
    if (command.epoch < journal.epoch) {
      logger.warn(
        { ...label(command), epoch: command.epoch, seen: journal.epoch },
        'command of a fenced session: dropped',
      )
      return
    }
    this.background(journal.sawEpoch(command.epoch))
    if (this.underWay(command.id)) return
    const known = journal.entry(command.id) !== undefined
    const admission = admit(command, journal, { known })
    if (admission.admitted) this.enqueue(command, admission, known)
    else this.answer(command, admission.outcome)
  }

  /** A command that could not be read is answered without acting; if it is known from before, that stands. */
  refuse(command: Numbered, error: Error): void {
    if (this.stopping || this.underWay(command.id)) return
    const ended = command.seq <= this.options.journal.floor
    this.answer(command, ended ? superseded('the plane has ended this command') : failed('bad-message', error.message))
  }

  /** What the plane has ended is not waited for any longer. */
  raiseFloor(floor: number): void {
    const { journal } = this.options
    this.background(journal.raiseFloor(floor))
    const ended = [...journal.entries()].filter(
      (entry) => entry.state === 'received' && entry.seq <= floor && !this.live.has(entry.id),
    )
    this.background(journal.forgotten(ended.map(({ id }) => id)))
  }

  /**
   * Takes no more commands, lets running ones end within the limit and reports what can be reported. What has not been
   * started stays in the journal and is carried on with after the next start.
   */
  async stop(limitMs: number): Promise<void> {
    this.stopping = true
    const untilMs = this.now() + limitMs
    await this.slots.empty(limitMs)
    for (const work of this.live.values()) work.abort.abort(agentStops)
    const restMs = Math.min(LAST_REPORTS_MS, untilMs - this.now())
    if (this.options.current.session !== null && restMs > 0) await this.reports.drained(restMs)
    this.reports.stop()
  }

  private takeUpJournal(): void {
    for (const entry of [...this.options.journal.entries()]) {
      if (entry.state === 'started') this.background(this.end(entry, interrupted))
      if (entry.state === 'done') this.report(entry, entry.outcome!)
    }
  }

  /** Its end is awaited, or is being reported; the end of what was started before is on its way: `takeUpJournal`. */
  private underWay(id: string): boolean {
    if (this.live.has(id)) return true
    const entry = this.options.journal.entry(id)
    if (entry?.state === 'done') this.report(entry, entry.outcome!)
    return entry !== undefined && entry.state !== 'received'
  }

  private answer(command: Numbered, outcome: Outcome): void {
    const { journal } = this.options
    this.background(journal.sawSeq(command.seq))
    if (journal.entry(command.id) === undefined) this.report(command, outcome)
    else this.background(this.end(command, outcome))
  }

  private enqueue(command: CommandMessage, { kind, payload }: Admitted, journalled: boolean): void {
    const work: Work = {
      command,
      kind,
      payload,
      deadlineMs: command.remainingMs == null ? null : this.now() + command.remainingMs,
      received: journalled ? Promise.resolve() : this.options.journal.received(command),
      abort: new AbortController(),
      phase: 'queued',
    }
    this.live.set(command.id, work)
    const queue = this.queues.get(command.subject)
    if (queue === undefined) {
      this.queues.set(command.subject, [work])
      this.background(this.drain(command.subject))
      return
    }
    this.supersede(queue, work)
    queue.push(work)
  }

  /** A newer level says all that an older one said. */
  private supersede(queue: readonly Work[], newer: Work): void {
    if (commandKinds[newer.kind].mode !== 'level') return
    for (const work of queue) {
      const older = work.phase === 'queued' && commandKinds[work.kind].mode === 'level'
      if (!older || work.command.generation > newer.command.generation) continue
      work.phase = 'ended'
      const outcome = superseded(`command ${newer.command.id} came before this one was started`)
      this.background(work.received.then(() => this.end(work.command, outcome)))
    }
  }

  private async drain(subject: string): Promise<void> {
    const queue = this.queues.get(subject)!
    for (let work = queue[0]; work !== undefined && !this.stopping; work = queue[0]) {
      await this.carryOut(work).catch((error: unknown) => this.left(work.command, error))
      queue.shift()
    }
    this.queues.delete(subject)
  }

  private async carryOut(work: Work): Promise<void> {
    await work.received
    await this.at('received', work.command)
    if (commandKinds[work.kind].mode === 'once' && !(await this.permitted(work))) return
    await this.slots.take()
    try {
      const reason = work.phase === 'ended' ? null : this.reasonNotToStart(work)
      if (reason !== null) return await this.end(work.command, reason)
      if (work.phase === 'ended' || this.stopping) return
      work.phase = 'acting'
      await this.act(work)
    } finally {
      this.slots.release()
    }
  }

  private reasonNotToStart(work: Work): Outcome | null {
    const { journal, heldGeneration } = this.options
    const { subject } = work.command
    const held = heldGeneration(subject)
    return reasonNotToStart(work.command, { mark: journal.markOf(subject), held, remainingMs: this.remainingMs(work) })
  }

  private async permitted(work: Work): Promise<boolean> {
    const { command } = work
    const giveUp = () => this.stopping || this.remainingMs(work) <= 0
    const permit = await askPermit(command.id, { ...this.options, giveUp, remainingMs: this.remainingMs(work) })
    if (this.stopping) return false
    if (permit === null) await this.end(command, expired)
    else if (!permit.granted && permit.reason === 'ended') await this.forget(command)
    else if (!permit.granted)
      await this.end(command, failed('permit-refused', permit.reason ?? 'the plane gave no reason'))
    if (!permit?.granted) return false
    await this.at('permitted', command)
    return true
  }

  private async act(work: Work): Promise<void> {
    const { command, kind, payload, abort } = work
    if (commandKinds[kind].mode === 'once') {
      await this.options.journal.started(command.id)
      await this.at('started', command)
    }
    const { id: commandId, subject, generation } = command
    const handled = act(this.options.handlers, {
      kind,
      payload,
      context: { commandId, subject, generation, signal: abort.signal },
      onBroken: (error) => this.options.logger.error({ err: error, ...label(command) }, 'a handler broke'),
    })
    const outcome = await withDeadline(handled, this.remainingMs(work), abort)
    if (outcome !== null) {
      await this.at('acted', command)
      await this.end(command, outcome)
      await this.at('done', command)
    }
    // A handler that is deaf to its signal still holds the subject: two must never act on it at once.
    await handled
  }

  private async end(command: Numbered, outcome: Outcome): Promise<void> {
    await this.options.journal.done(command.id, outcome)
    this.live.delete(command.id)
    this.report(command, outcome)
  }

  private async forget(command: KnownCommand): Promise<void> {
    this.live.delete(command.id)
    await this.options.journal.forgotten([command.id])
  }

  private report(command: Numbered, outcome: Outcome): void {
    if (this.reports.has(command.id)) return
    this.options.logger.info({ ...label(command), state: outcome.state, fault: outcome.fault?.type }, 'command ended')
    this.reports.put(command.id, reportOf(command, outcome))
  }

  private async recorded(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const entry = this.options.journal.entry(id)
      if (entry !== undefined) await this.at('reported', entry)
    }
    await this.options.journal.forgotten(ids)
  }

  private remainingMs(work: Work): number {
    return work.deadlineMs === null ? Number.POSITIVE_INFINITY : work.deadlineMs - this.now()
  }

  private at(step: RunnerStep, command: KnownCommand): Promise<void> {
    return this.options.hooks?.at(step, command) ?? Promise.resolve()
  }

  /** What a closed journal, or a hook, left undone is in the journal as far as it came; a redelivery goes on from there. */
  private left(command: KnownCommand, error: unknown): void {
    this.live.delete(command.id)
    if (!this.stopping) this.options.logger.error({ err: error, ...label(command) }, 'a command was left undone')
  }

  private background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.stopping) this.options.logger.error({ err: error }, 'the journal did not take a record')
    })
  }
}

const LAST_REPORTS_MS = 2000

const label = ({ id, seq, kind, subject }: Numbered & Partial<KnownCommand>) => ({ commandId: id, seq, kind, subject })
