import { Injectable } from '@nestjs/common'
import { Notifications } from '../platform/notifications.js'

export const COMMANDS_CHANNEL = 'keelson_commands'

/** Wakes whichever replica owns a host: this one directly, another by NOTIFY. */
@Injectable()
export class Wakeups {
  private local: (hostId: string) => boolean = () => false

  constructor(private readonly notifications: Notifications) {}

  /** The dispatcher's ear; answers whether the host is this replica's. */
  connect(local: (hostId: string) => boolean): void {
    this.local = local
  }

  wake(hostId: string): void {
    if (!this.local(hostId)) this.notifications.notify(COMMANDS_CHANNEL, hostId)
  }
}
