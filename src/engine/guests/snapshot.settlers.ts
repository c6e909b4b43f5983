import { Injectable } from '@nestjs/common'
import { subjectKey } from '../../wire/commands.js'
import type { SnapshotTaken } from '../../wire/guests/commands.js'
import type { EndedCommand, Settler } from '../commands/settlers.js'
import type { Tx } from '../platform/database.js'

/** What snapshots do when their hosts have answered. */
@Injectable()
export class SnapshotSettlers {
  readonly taken: Settler = {
    settle: async (tx, ended) => {
      for (const command of ended) {
        if (command.state !== 'succeeded') await fail(tx, command)
        else
          await tx.query(
            `UPDATE guest_snapshots SET provisioning_status = 'ACTIVE', quiesced = $3, fault = NULL, fault_at = NULL, updated_at = now()
             WHERE id = $1 AND generation = $2 AND provisioning_status = 'PENDING_CREATE'`,
            // validated by its class where it was received
            [subjectKey(command.subject), command.generation, (command.result as SnapshotTaken).quiesced],
          )
      }
      return []
    },
    giveUp: async (tx, ended, reason) => fail(tx, { ...ended, fault: { type: 'unsettled', message: reason } }),
  }

  readonly removed: Settler = {
    settle: async (tx, ended) => {
      for (const command of ended) {
        if (command.state !== 'succeeded') await fail(tx, command)
        else
          await tx.query('DELETE FROM guest_snapshots WHERE id = $1 AND generation = $2', [
            subjectKey(command.subject),
            command.generation,
          ])
      }
      return []
    },
    giveUp: async (tx, ended, reason) => fail(tx, { ...ended, fault: { type: 'unsettled', message: reason } }),
  }
}

async function fail(tx: Tx, { subject, generation, state, fault }: EndedCommand): Promise<[]> {
  await tx.query(
    `UPDATE guest_snapshots SET provisioning_status = 'ERROR', fault = $3, fault_at = now(), updated_at = now()
     WHERE id = $1 AND generation = $2 AND provisioning_status LIKE 'PENDING%'`,
    [subjectKey(subject), generation, JSON.stringify(fault ?? { type: state, message: `the command ended ${state}` })],
  )
  return []
}
