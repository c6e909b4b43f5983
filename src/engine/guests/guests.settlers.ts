import { Injectable } from '@nestjs/common'
import { subjectKey } from '../../wire/commands.js'
import type { ConsoleRead, MessageDone, Pong } from '../../wire/guests/commands.js'
import { type EndedCommand, type Settler, Settlers } from '../commands/settlers.js'
import type { EventDraft } from '../events/events.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { prepared, type Tx } from '../platform/database.js'
import type { Guest } from './guest.entity.js'
import { guestEvent, TOLD_GUEST, type ToldGuest } from './guest.events.js'
import { layerFault, maySendAgain } from './guest-faults.js'
import { messageEnded } from './guest-messages.queries.js'
import { lockAwaiting, type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestRebuild } from './guest-rebuild.js'
import { GuestRemoval } from './guest-removal.js'
import { GuestRuns } from './guest-runs.js'
import { GuestWorkflow, type Move } from './guest-workflow.js'
import { type GuestStep, stepRules } from './guests.states.js'
import { isConnected } from './host-connected.js'
import { SnapshotSettlers } from './snapshot.settlers.js'
import { VolumeSettlers } from './volume.settlers.js'

interface Settled {
  readonly whole: WholeGuest
  readonly step: GuestStep
  readonly command: EndedCommand
}

/**
 * What guests do when their hosts have answered: each goes on from its step, if the command is the one that it waits for. A late
 * success takes nobody on, but a guest that is to go.
 */
@Injectable()
export class GuestSettlers {
  constructor(
    settlers: Settlers,
    volumes: VolumeSettlers,
    snapshots: SnapshotSettlers,
    private readonly workflow: GuestWorkflow,
    private readonly removal: GuestRemoval,
    private readonly rebuild: GuestRebuild,
    private readonly tombstones: Tombstones,
    runs: GuestRuns,
  ) {
    settlers.register('guests.ensureImage', this.steps())
    const made = this.steps((tx, ended) => volumes.made(tx, ended))
    const gone = this.steps((tx, ended) => this.confirm(tx, ended))
    settlers.register('guests.ensureVolume', made)
    settlers.register('guests.ensureSeed', this.steps())
    settlers.register('guests.apply', this.steps())
    settlers.register('guests.reset', this.steps())
    settlers.register('guests.remove', gone)
    const said = this.steps(async (tx, ended) => {
      await runs.settle(tx, ended)
      return []
    })
    settlers.register('guests.ping', said)
    settlers.register('guests.message', said)
    settlers.register('guests.removeVolume', volumes.removed)
    settlers.register('guests.snapshot', snapshots.taken)
    settlers.register('guests.removeSnapshot', snapshots.removed)
    settlers.register('guests.removeImage', nothingWaits)
    settlers.register('guests.readConsole', consoleRead)
  }

  /** @param before what else than guests the commands were for */
  private steps(before?: (tx: Tx, ended: readonly EndedCommand[]) => Promise<EventDraft[]>): Settler {
    return {
      settle: async (tx, ended) => {
        const drafts = (await before?.(tx, ended)) ?? []
        return [...drafts, ...(await this.goOn(tx, ended))]
      },
      giveUp: markError,
    }
  }

  private async goOn(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const drafts: EventDraft[] = []
    const moves: Move[] = []
    for (const settled of await awaiting(tx, ended)) {
      const { command, whole } = settled
      if (command.state !== 'succeeded') drafts.push(...(await this.failed(tx, settled, moves)))
      else if (settled.step === 'remove') drafts.push(...(await this.removal.finish(tx, whole)))
      else if (settled.step === 'clear') drafts.push(...(await this.rebuild.goOn(tx, whole)))
      else if (settled.step === 'prepare') drafts.push(...(await this.answered(tx, settled, moves)))
      else moves.push(nextOf(settled))
    }
    return [...drafts, ...(await this.workflow.enter(tx, moves))]
  }

  /** The ledger has it, and what came of it decides. */
  private async answered(tx: Tx, { whole, command }: Settled, moves: Move[]): Promise<EventDraft[]> {
    // validated by its class where it was received
    const done = command.result as MessageDone
    const isGood = done.exitCode === 0
    const fault = isGood
      ? null
      : { type: 'prepare-failed', message: `exit code ${done.exitCode}: ${done.output}`.slice(0, 4_000) }
    if (whole.prepare) await messageEnded(tx, whole.prepare.id, { state: isGood ? 'succeeded' : 'failed', done, fault })
    if (fault) return this.workflow.fail(tx, whole, fault)
    moves.push({ whole: { ...whole, prepare: null }, step: 'prepare' })
    return []
  }

  private async failed(tx: Tx, { whole, step, command }: Settled, moves: Move[]): Promise<EventDraft[]> {
    const { prepare } = whole
    if (step === 'prepare' && prepare && maySendAgain(command, prepare)) {
      moves.push({ whole, step: 'ping' })
      return []
    }
    const fault = layerFault(step, command, await isConnected(tx, command.hostId))
    if (prepare && (step === 'ping' || step === 'prepare'))
      await messageEnded(tx, prepare.id, {
        state: command.state === 'expired' ? 'expired' : 'failed',
        done: null,
        fault,
      })
    return this.workflow.fail(tx, whole, fault)
  }

  private confirm(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const gone = ended.filter(({ state }) => state === 'succeeded')
    if (gone.length === 0) return Promise.resolve([])
    return this.tombstones.confirm(
      tx,
      gone.map(({ hostId, subject, generation }) => ({ hostId, subject, generation })),
    )
  }
}

/** The guests that wait for one of the commands, whole, under their locks. */
async function awaiting(tx: Tx, ended: readonly EndedCommand[]): Promise<Settled[]> {
  const waiting = await lockAwaiting(
    tx,
    ended.map(({ id }) => id),
  )
  if (waiting.size === 0) return []
  const wholes = await wholeGuests(tx, [...waiting.keys()])
  const commands = new Map(ended.map((command) => [command.id, command]))
  return wholes.flatMap((whole) => {
    const command = commands.get(waiting.get(whole.guest.id) ?? '')
    return command && whole.guest.step ? [{ whole, step: whole.guest.step, command }] : []
  })
}

/** Of volumes there may be another one to make: the step looks for itself. */
function nextOf({ whole, step, command }: Settled): Move {
  if (step === 'volumes') return { whole, step }
  const { next } = stepRules[step]
  if (step === 'ping') return { whole: { ...whole, guest: answering(whole.guest, command) }, step: next ?? step }
  return next === null ? { whole, step: DONE } : { whole, step: next }
}

/** A step in which a guest without a message to be sent has nothing to do, and after which it is ACTIVE. */
const DONE: GuestStep = 'prepare'

// validated by its class where it was received
const answering = (guest: Guest, { result }: EndedCommand): Guest => ({
  ...guest,
  pongBootId: (result as Pong).bootId,
  pongAt: new Date(),
})

const nothingWaits: Settler = { settle: async () => [], giveUp: async () => [] }

/** Kept with a guest that has failed. */
const consoleRead: Settler = {
  settle: async (tx, ended) => {
    for (const { state, subject, generation, result } of ended) {
      if (state !== 'succeeded') continue
      await prepared(
        tx,
        'guests_console_tail',
        `UPDATE guests SET console_tail = $3 WHERE id = $1 AND generation = $2 AND provisioning_status = 'ERROR'`,
        // validated by its class where it was received
        [subjectKey(subject), generation, (result as ConsoleRead).text],
      )
    }
    return []
  },
  giveUp: async () => [],
}

/** The plainest statement there is: the settler itself could not do it. */
async function markError(tx: Tx, { id }: EndedCommand, reason: string): Promise<EventDraft[]> {
  const fault = { type: 'unsettled', message: reason }
  const [rows] = await tx.query(
    `UPDATE guests g SET provisioning_status = 'ERROR', step_deadline_at = NULL, fault = $2, fault_at = now(), updated_at = now()
     WHERE g.command_id = $1 AND g.provisioning_status LIKE 'PENDING%' RETURNING ${TOLD_GUEST}`,
    [id, JSON.stringify(fault)],
  )
  return rows.map((row: ToldGuest) => guestEvent('guests.guest.failed', row, { fault }))
}
