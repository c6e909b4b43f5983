import { readFile, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { writeFileAtomically } from '../../host/write-file.js'
import type { Means } from '../driver.js'
import { setupFailed } from './faults.js'
import { IFACE, type Iscsiadm } from './iscsiadm.js'
import { nodeRecord } from './node-record.js'
import { bareHost, isSpelled, type Portal } from './portal.js'
import { type IscsiSession, names } from './sessions.js'

/** Where iscsiadm was built to keep its records: Debian's place, and that of most others. */
export const DATABASE_ROOTS: readonly string[] = ['/etc/iscsi', '/var/lib/iscsi']

/** The record, and what a crash may leave of writing it. */
const FILES = [IFACE, `${IFACE}.new`]

/**
 * The records of iscsiadm's own database that are ours: one for each portal that is being logged in to or has a session, and
 * no longer, since CHAP secrets stand in them. Those go there by file, as no argv is secret.
 */
export class NodeDatabase {
  /** Written since this agent began: no leftovers, whether or not their sessions are there yet. */
  private readonly written = new Set<string>()

  constructor(
    private readonly iscsiadm: Iscsiadm,
    private readonly roots: readonly string[],
  ) {}

  /** What was there of ours is replaced: one that a crash has cut off makes iscsiadm refuse any other. */
  async write(portal: Portal, means: Means): Promise<void> {
    this.written.add(pathOf(portal))
    await this.addInterface()
    await this.erase(portal)
    await this.iscsiadm.addRecord(portal)
    for (const root of this.roots) {
      const path = join(root, 'nodes', pathOf(portal), IFACE)
      const text = await readFile(path, 'utf8').catch(unlessMissing)
      if (text !== null) return writeFileAtomically(path, nodeRecord(text, means), 0o600)
    }
    throw setupFailed(`iscsiadm keeps its records in none of ${this.roots.join(', ')}`)
  }

  async remove(portal: Portal): Promise<void> {
    await this.erase(portal)
    this.written.delete(pathOf(portal))
  }

  /** Records that a crash has left without a session. One that cannot be removed keeps no other. */
  async sweep(sessions: readonly IscsiSession[]): Promise<void> {
    const failures: unknown[] = []
    for (const portal of await this.portals()) {
      const isUsed = sessions.some((session) => session.iface === IFACE && isSpelled(portal, session))
      if (isUsed || this.written.has(pathOf(portal))) continue
      await this.erase(portal).catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw failures[0]
  }

  /** Made once: whatever an administrator has set in it since then stays. */
  private async addInterface(): Promise<void> {
    const interfaces = await Promise.all(this.roots.map((root) => names(join(root, 'ifaces'))))
    if (!interfaces.flat().includes(IFACE)) await this.iscsiadm.addInterface()
  }

  /**
   * By file: iscsiadm would take all records with it whose host resolves to the same address, and refuses while there is a
   * session.
   */
  private async erase(portal: Portal): Promise<void> {
    for (const root of this.roots) {
      const directory = join(root, 'nodes', pathOf(portal))
      for (const file of FILES) await rm(join(directory, file), { force: true }).catch(unlessMissing)
      await rm(join(root, 'static', `${pathOf(portal).replace('/', ',')},${IFACE}`), { force: true })
      await rmdir(directory)
        .then(() => rmdir(dirname(directory)))
        .catch(() => undefined)
    }
  }

  private async portals(): Promise<Portal[]> {
    const portals: Portal[] = []
    for (const root of this.roots) {
      for (const name of await names(join(root, 'nodes'))) {
        for (const entry of await names(join(root, 'nodes', name))) {
          const files = await names(join(root, 'nodes', name, entry))
          const portal = portalIn(name, entry)
          if (portal !== null && files.some((file) => FILES.includes(file))) portals.push(portal)
        }
      }
    }
    return portals
  }
}

const pathOf = (portal: Portal): string => `${portal.name}/${bareHost(portal)},${portal.port},${portal.portalGroup}`

function portalIn(name: string, entry: string): Portal | null {
  const parts = /^(?<host>.+),(?<port>\d+),(?<group>\d+)$/.exec(entry)?.groups
  if (parts === undefined) return null
  const host = parts.host!.includes(':') ? `[${parts.host!}]` : parts.host!
  return { name, host, port: Number(parts.port), portalGroup: Number(parts.group) }
}

const unlessMissing = (error: NodeJS.ErrnoException): null => {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
  throw error
}
