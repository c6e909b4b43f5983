import { makeFault } from './fault.js'
import type { Outcome } from './journal-record.js'

/** The ends of a command that are not its handler's own. The fault types are stable. */
export const failed = (type: string, message: string): Outcome => ({
  state: 'failed',
  fault: makeFault(type, message),
})

export const superseded = (message: string): Outcome => ({
  state: 'superseded',
  fault: makeFault('superseded', message),
})

export const expired = failed('expired', 'its time had passed before it was started')

export const pastDeadline = failed('deadline', 'its time passed while it was carried out')

export const interrupted = failed(
  'interrupted',
  'the agent went down while it carried this out; whether it was done is not known',
)

export const unknownPermit = failed(
  'interrupted',
  'a start permit was given, but this agent has no record of the command',
)
