import { randomUUID } from 'node:crypto'
import { storageSubject } from '../../../src/wire/commands.js'
import type { CommandMessage } from '../../../src/wire/session.js'

let lastSeq = 0

/** A command as it travels; by default an intent for connection `c1`. */
export function command(overrides: Partial<CommandMessage> = {}): CommandMessage {
  lastSeq += 1
  return {
    type: 'command',
    id: randomUUID(),
    seq: lastSeq,
    kind: 'storage.manage',
    subject: storageSubject('c1'),
    generation: 1,
    payload: { connectionId: 'c1', uri: 'local:///srv', options: {} },
    epoch: 1,
    remainingMs: null,
    permitted: false,
    requestId: null,
    ...overrides,
  }
}

export const resetCommand = (overrides: Partial<CommandMessage> = {}): CommandMessage =>
  command({ kind: 'storage.reset', payload: { connectionId: 'c1' }, remainingMs: 60_000, ...overrides })
