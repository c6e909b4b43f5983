import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A session as the kernel has it (/sys/class/iscsi_session): who else made it, and whether iscsid runs, does not matter. */
export interface IscsiSession {
  readonly sid: number
  /** The target's iSCSI name, in lower case. */
  readonly name: string
  readonly portalGroup: number | null
  /** Of iscsiadm's database: which initiator interface it was logged in through. */
  readonly iface: string
  /** `LOGGED_IN`; `FAILED` while input and output wait for the connection to come back; `FREE` once they no longer do. */
  readonly state: string
  /** How long they wait. */
  readonly replacementTimeoutS: number | null
  /** What it was asked to log in to, by name or address; `address` may differ when the target sent it elsewhere. */
  readonly persistentAddress: string | null
  readonly persistentPort: number | null
  readonly address: string | null
}

/** A logical unit that the kernel has found in a session. */
export interface IscsiUnit {
  readonly lun: number
  /** The SCSI device's: `running`, `blocked`, `transport-offline`, `offline`… */
  readonly state: string
  /** `sda`; null for what is no disk. */
  readonly disk: string | null
}

/** Reading sysfs touches no storage: it answers while all of it hangs. */
export async function readSessions(sysRoot: string): Promise<IscsiSession[]> {
  const connections = await names(join(sysRoot, 'class/iscsi_connection'))
  const sids = (await names(join(sysRoot, 'class/iscsi_session'))).flatMap((name) => numberIn(/^session(\d+)$/, name))
  const sessions = await Promise.all(sids.map((sid) => readSession(sysRoot, sid, connections)))
  return sessions.filter((session) => session !== null).sort((a, b) => a.sid - b.sid)
}

export async function readUnits(sysRoot: string, sid: number): Promise<IscsiUnit[]> {
  const device = join(sysRoot, `class/iscsi_session/session${sid}/device`)
  const targets = (await names(device)).filter((name) => /^target\d+:\d+:\d+$/.test(name))
  const units = await Promise.all(targets.map((target) => readTargetUnits(join(device, target))))
  return units.flat().sort((a, b) => a.lun - b.lun)
}

async function readSession(sysRoot: string, sid: number, connections: readonly string[]): Promise<IscsiSession | null> {
  const session = (attribute: string) => attributeIn(join(sysRoot, `class/iscsi_session/session${sid}`, attribute))
  const name = await session('targetname')
  // one that is being made, or is just gone
  if (name === null) return null
  const leading = connections.filter((entry) => entry.startsWith(`connection${sid}:`)).sort()[0]
  const connection = async (attribute: string) =>
    leading === undefined ? null : attributeIn(join(sysRoot, 'class/iscsi_connection', leading, attribute))
  return {
    sid,
    name: name.toLowerCase(),
    portalGroup: wholeOrNull(await session('tpgt')),
    iface: (await session('ifacename')) ?? '',
    state: (await session('state')) ?? 'UNKNOWN',
    replacementTimeoutS: wholeOrNull(await session('recovery_tmo')),
    persistentAddress: await connection('persistent_address'),
    persistentPort: wholeOrNull(await connection('persistent_port')),
    address: await connection('address'),
  }
}

async function readTargetUnits(directory: string): Promise<IscsiUnit[]> {
  const units = await names(directory)
  return Promise.all(
    units.flatMap((unit) =>
      numberIn(/^\d+:\d+:\d+:(\d+)$/, unit).map(async (lun) => ({
        lun,
        state: (await attributeIn(join(directory, unit, 'state'))) ?? 'unknown',
        disk: (await names(join(directory, unit, 'block')))[0] ?? null,
      })),
    ),
  )
}

/** The kernel prints a missing text as `(null)`, and refuses to read what a connection that is down does not have. */
export async function attributeIn(path: string): Promise<string | null> {
  const text = (await readFile(path, 'utf8').catch(() => '')).trim()
  return text === '' || text === '(null)' ? null : text
}

/** Without the directory: none. */
export const names = (directory: string): Promise<string[]> => readdir(directory).catch(() => [])

const numberIn = (form: RegExp, text: string): number[] => {
  const digits = form.exec(text)?.[1]
  return digits === undefined ? [] : [Number(digits)]
}

const wholeOrNull = (text: string | null): number | null =>
  text !== null && /^-?\d+$/.test(text) ? Number(text) : null
