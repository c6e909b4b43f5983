import { Injectable } from '@nestjs/common'
import type { GuestTask } from '../../wire/guests/task.js'
import { guestTasks, guestUserData, sealedPlace } from '../platform/sealed-columns.js'
import { Sealer } from '../platform/sealing.js'
import type { Guest } from './guest.entity.js'
import type { GuestMessage, TaskSummary } from './guest-message.entity.js'

/** What is said into guests is nobody's business: it is sealed with them, and told to hosts alone. */
@Injectable()
export class GuestSecrets {
  constructor(private readonly sealer: Sealer) {}

  sealUserData(guestId: string, text: string | null): string | null {
    return text === null ? null : this.sealer.seal(text, sealedPlace(guestUserData, [guestId]))
  }

  /** @throws SealBroken */
  userDataOf({ id, sealedUserData }: Pick<Guest, 'id' | 'sealedUserData'>): string | null {
    return sealedUserData === null
      ? null
      : this.sealer.openText(sealedUserData, sealedPlace(guestUserData, [id])).toString()
  }

  sealTask(messageId: string, task: GuestTask): string {
    return this.sealer.seal(JSON.stringify(task), sealedPlace(guestTasks, [messageId]))
  }

  /** @throws SealBroken */
  taskOf({ id, sealedTask }: Pick<GuestMessage, 'id' | 'sealedTask'>): GuestTask {
    // written by `sealTask`
    if (sealedTask !== null)
      return JSON.parse(this.sealer.openText(sealedTask, sealedPlace(guestTasks, [id]))) as GuestTask
    return { users: [], packages: [], files: [], commands: [] }
  }
}

export const summaryOf = ({ users, packages, files, commands }: GuestTask): TaskSummary => ({
  users: users.map(({ name }) => name),
  packages: [...packages],
  files: files.map(({ path }) => path),
  commands: commands.length,
})
