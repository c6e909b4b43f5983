import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One session of the kernel's iSCSI initiator. */
export interface IscsiSession {
  /** `session7` */
  readonly name: string
  readonly iqn: string
  /** The target's portal as it was dialled. */
  readonly address: string
  readonly port: number
  /** Of the target portal group. */
  readonly tag: number
  /** `LOGGED_IN`, `FAILED` or `FREE`. */
  readonly state: string
}

const MAX_SESSIONS = 1000

/** From /sys/class, which answers from the kernel's memory: no portal is asked. None where the kernel has no iSCSI. */
export async function readIscsiSessions(sysClass = '/sys/class'): Promise<IscsiSession[]> {
  const sessions = join(sysClass, 'iscsi_session')
  const names = await readdir(sessions).catch(() => [])
  const found: IscsiSession[] = []
  for (const name of names.slice(0, MAX_SESSIONS)) {
    const number = /^session(\d+)$/.exec(name)?.[1]
    if (number === undefined) continue
    const of = (file: string) => readAttribute(join(sessions, name, file))
    // a session of this initiator has one connection
    const connection = join(sysClass, 'iscsi_connection', `connection${number}:0`)
    const iqn = await of('targetname')
    if (iqn === '') continue
    found.push({
      name,
      iqn,
      address: await readAttribute(join(connection, 'persistent_address')),
      port: Number(await readAttribute(join(connection, 'persistent_port'))) || 3260,
      tag: Number(await of('tpgt')) || 1,
      state: await of('state'),
    })
  }
  return found
}

/** '' where there is none: a session may go while it is looked at. */
async function readAttribute(path: string): Promise<string> {
  const text = (await readFile(path, 'utf8').catch(() => '')).trim()
  return text === '<NULL>' || text === '(null)' ? '' : text
}
