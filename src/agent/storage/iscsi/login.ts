import type { Means } from '../driver.js'
import { StuckError } from '../faults.js'
import { loginFailed } from './faults.js'
import { IFACE, type Iscsiadm } from './iscsiadm.js'
import type { NodeDatabase } from './node-database.js'
import { type Portal, portalText } from './portal.js'
import type { IscsiSession } from './sessions.js'

export interface Login {
  readonly iscsiadm: Iscsiadm
  readonly database: NodeDatabase
  readonly find: () => Promise<IscsiSession | null>
  /** Whether it was there before, for another target. */
  readonly isOthers: (session: IscsiSession) => boolean
}

/** @returns the session that the kernel shows. What has failed leaves no record, and so no secret, behind. */
export async function logIn(
  portal: Portal,
  means: Means,
  { iscsiadm, database, find, isOthers }: Login,
): Promise<IscsiSession> {
  try {
    await database.write(portal, means)
    await iscsiadm.login(portal)
    const session = await find()
    if (session !== null) return session
    const where = `${portal.name} at ${portalText(portal)}`
    throw loginFailed(`iscsiadm says that there is a session with ${where}, and the kernel shows none`)
  } catch (error) {
    // Killed in its last moment, iscsiadm may have done its work.
    const session = await find()
    if (session?.state === 'LOGGED_IN') return session
    // It still works on it: what it leaves is seen to by the next try.
    if (error instanceof StuckError) throw error
    // iscsid may go on trying by itself, with the secret that it was given.
    if (session?.iface === IFACE && !isOthers(session)) await iscsiadm.logout(session.sid).catch(() => undefined)
    await database.remove(portal)
    throw error
  }
}
