import type { IscsiUri } from '../../../wire/storage/schemes/iscsi.js'
import { faultOf } from '../../fault.js'
import { type Run, run as runProgram } from '../../host/run.js'
import { Turns } from '../../turns.js'
import type { StorageDriver } from '../driver.js'
import { StuckError } from '../faults.js'
import { sessionFailed } from '../iscsi/faults.js'
import { createIscsiadm, IFACE } from '../iscsi/iscsiadm.js'
import { letGoOf } from '../iscsi/letting-go.js'
import { logIn } from '../iscsi/login.js'
import { DATABASE_ROOTS, NodeDatabase } from '../iscsi/node-database.js'
import { iscsiObstacle } from '../iscsi/obstacle.js'
import { isSpelled, portalOf, portalText, sessionsWith } from '../iscsi/portal.js'
import { probeSession } from '../iscsi/probing.js'
import { SessionUsers } from '../iscsi/session-users.js'
import { type IscsiSession, readSessions } from '../iscsi/sessions.js'

export interface IscsiDriverOptions {
  readonly run?: Run
  readonly sysRoot?: string
  /** Where iscsiadm may keep its records. */
  readonly databaseRoots?: readonly string[]
  readonly isRoot?: boolean
  /** Where programs are looked for; by default, where they are run from. */
  readonly path?: string
  /** Of one call of iscsiadm. */
  readonly deadlineMs?: number
  /** How long a unit may take to show after a scan. */
  readonly appearMs?: number
}

const RESCAN_MS = 30_000

/** One session for each portal of a target. The kernel says what is there; iscsiadm is told by a record of our own. */
export function createIscsiDriver(options: IscsiDriverOptions = {}): StorageDriver<'iscsi'> {
  const { run = runProgram, sysRoot = '/sys', isRoot = process.getuid?.() === 0 } = options
  const iscsiadm = createIscsiadm(run, options.deadlineMs)
  const database = new NodeDatabase(iscsiadm, options.databaseRoots ?? DATABASE_ROOTS)
  const tools = { run, sysRoot, iscsiadm, appearMs: options.appearMs }
  const users = new SessionUsers()
  const turns = new Turns()
  /** What the last look for it has found. */
  const lastFound = new WeakMap<IscsiUri, IscsiSession | null>()
  let tidied: Promise<void> | null = null

  /** Ours before anybody else's. */
  const among = async (uri: IscsiUri, sessions: readonly IscsiSession[]): Promise<IscsiSession | null> => {
    const held = sessions.find(({ sid }) => sid === users.sidOf(uri.target))
    if (held !== undefined) return held
    const found = await sessionsWith(uri, sessions, run)
    return found.find(({ iface }) => iface === IFACE) ?? found[0] ?? null
  }

  const find = async (uri: IscsiUri): Promise<IscsiSession | null> => {
    const sessions = await readSessions(sysRoot)
    users.keep(sessions)
    const session = await among(uri, sessions)
    lastFound.set(uri, session)
    return session
  }

  /** Once, when that went well: what could not be removed is tried again with the next connecting. */
  const tidy = () => {
    tidied ??= readSessions(sysRoot)
      .then((sessions) => database.sweep(sessions))
      .catch((error: unknown) => {
        tidied = null
        throw error
      })
    return tidied
  }

  return {
    obstacle: () => iscsiObstacle({ run, sysRoot, isRoot, path: options.path }),
    tidy,

    /** Our own session that another target holds is not this one's yet: connecting makes it so, without a login. */
    isConnected: async (uri) => {
      const session = await find(uri)
      if (session === null) return false
      if (session.iface !== IFACE) return true
      if (users.sidOf(uri.target) === undefined && users.isHeldByOthers(session.sid, uri.target)) return false
      users.hold(session.sid, uri.target)
      return true
    },

    /**
     * Before it has been looked for, each session with the target may be it; where there was none, one that has come by this
     * portal since, as while it is being logged in to.
     */
    recognises: (uri, seen) => {
      if (seen.kind !== 'session') return null
      const found = lastFound.get(uri)
      if (found === undefined) return seen.session.name === uri.name ? 'itself' : null
      const isIt = found === null ? isSpelled(uri, seen.session) : seen.session.sid === found.sid
      return isIt ? 'itself' : null
    },

    connect: (uri, means) =>
      turns.take(turnOf(uri), async () => {
        await tidy().catch(() => undefined)
        const there = await find(uri)
        const isOthers = ({ sid }: IscsiSession) => users.isHeldByOthers(sid, uri.target)
        const session = there ?? (await logIn(uri, means, { iscsiadm, database, find: () => find(uri), isOthers }))
        users.hold(session.sid, uri.target)
        if (there?.state === 'LOGGED_IN') await iscsiadm.rescan(there.sid, RESCAN_MS).catch(unlessStuck)
      }),

    /** A session that somebody else has made is left as it is, and so is one that another target holds. */
    disconnect: (uri, grip) =>
      turns.take(turnOf(uri), async () => {
        const session = await find(uri)
        const ours = session?.iface === IFACE ? session : null
        const isShared = ours !== null && users.isHeldByOthers(ours.sid, uri.target)
        if (ours !== null && !isShared) await letGoOf(ours, grip, tools)
        users.release(uri.target)
        if (isShared) return
        await database.remove(uri)
        const asked = ours === null ? null : portalOf(ours)
        if (asked !== null) await database.remove(asked)
      }),

    probe: async (uri, _options, limits) => {
      const session = await find(uri)
      if (session !== null) {
        users.hold(session.sid, uri.target)
        return probeSession(session, limits, tools)
      }
      await database.remove(uri)
      const words = `the kernel has no session with ${uri.name} at ${portalText(uri)}`
      return { seen: 'lost', fault: faultOf(sessionFailed(words)) }
    },
  }
}

const turnOf = (uri: IscsiUri): string => `${uri.name} ${portalText(uri)}`

const unlessStuck = (error: unknown): void => {
  if (error instanceof StuckError) throw error
}
