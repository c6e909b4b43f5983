import { setTimeout as delay } from 'node:timers/promises'
import type { MessageDone, Pong, SendMessage } from '../../wire/guests/commands.js'
import { FaultError } from '../fault.js'
import type { GuestChannel } from './driver.js'

const TRY_EVERY_MS = 250
const LOOK_EVERY_MS = 200

/** Faults after which another attempt may go better: the guest is still on its way. */
const passing: ReadonlySet<string> = new Set(['port-never-opened', 'agent-silent', 'vm-not-started'])

/** Until the guest answers, something that will not pass stands in the way, or the time is over. */
export async function pingUntil(channel: GuestChannel, waitMs: number, signal: AbortSignal): Promise<Pong> {
  const untilMs = performance.now() + waitMs
  for (let unanswered = 0; ; unanswered += 1) {
    try {
      return { ...(await channel.ping(signal)), unanswered }
    } catch (error) {
      const isPassing = error instanceof FaultError && passing.has(error.type)
      if (!isPassing || signal.aborted || performance.now() + TRY_EVERY_MS > untilMs) throw error
    }
    await delay(TRY_EVERY_MS, undefined, { ref: false })
  }
}

/**
 * G2, G3: in one hold of the channel a fresh pong of the boot that the plane knows, the message put there, and its go while there
 * is time. What was done is told again and not done again; what was cut off is not begun again by itself.
 */
export async function deliver(channel: GuestChannel, message: SendMessage, signal: AbortSignal): Promise<MessageDone> {
  const { bootId } = await channel.ping(signal)
  if (bootId !== message.bootId)
    throw new FaultError('boot-changed', `the guest is in boot ${bootId}, and the message is for ${message.bootId}`)
  const mark = await channel.mark(message.messageId, signal)
  if (mark.state === 'done') return { ...mark.done, before: true }
  if (mark.state === 'cut-off') throw cutOff(message)
  if (mark.state !== 'running') {
    if (mark.state === 'none') await channel.put(message, signal)
    // the last look at the time before it cannot be taken back
    if (signal.aborted) throw new FaultError('expired', 'there was no time left to start it in the guest')
    await channel.go(message.messageId, signal)
  }
  return outcome(channel, message, signal)
}

async function outcome(channel: GuestChannel, message: SendMessage, signal: AbortSignal): Promise<MessageDone> {
  for (;;) {
    const mark = await channel.mark(message.messageId, signal)
    if (mark.state === 'done') return mark.done
    if (mark.state === 'cut-off' || mark.state === 'none') throw cutOff(message)
    if (signal.aborted) throw new FaultError('expired', 'it was started in the guest, and is not done')
    await delay(LOOK_EVERY_MS, undefined, { ref: false })
  }
}

const cutOff = ({ messageId }: SendMessage): FaultError =>
  new FaultError('interrupted', `message ${messageId} was started, and cut off by the end of that boot`)
