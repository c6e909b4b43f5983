import { Injectable } from '@nestjs/common'
import type { Tx } from '../platform/database.js'

export interface RegisteredHost {
  readonly id: string
  readonly name: string
}

/** What enrolment needs of the hosts' module, which stands to its right: it registers itself here. */
export interface HostRegister {
  /** The host of this name, made where there is none, under a row lock. */
  findOrMake(tx: Tx, name: string): Promise<RegisteredHost>
  /** Its earlier certificates are revoked: whatever session it has ends. */
  enrolledAnew(tx: Tx, host: RegisteredHost): Promise<void>
}

@Injectable()
export class HostRegistry {
  private registered: HostRegister | null = null

  register(hosts: HostRegister): void {
    this.registered = hosts
  }

  get hosts(): HostRegister {
    if (!this.registered) throw new Error('no module knows hosts')
    return this.registered
  }
}
