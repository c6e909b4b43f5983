import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface FakeTarget {
  readonly name: string
  /** By address, not by name. */
  readonly address: string
  readonly port: number
  portalGroup: number
  reaches: 'answers' | 'refuses' | 'silent'
  chap?: { readonly user: string; readonly password: string; readonly userIn?: string; readonly passwordIn?: string }
  readonly luns: Map<number, 'disk' | 'controller'>
}

/** What the kernel shows of iSCSI, in a directory. */
export class FakeKernel {
  readonly targets: FakeTarget[] = []
  private nextSid = 1
  private nextDisk = 0

  constructor(readonly sysRoot: string) {
    mkdirSync(join(sysRoot, 'class/iscsi_session'), { recursive: true })
  }

  /** As iscsid makes one, whoever asked it to. */
  logIn(target: FakeTarget, address = target.address, iface = 'default', timeout = '120'): number {
    const sid = this.nextSid++
    const [session, connection] = [this.sessionDirectory(sid), this.connection(sid)]
    mkdirSync(join(session, 'device'), { recursive: true })
    mkdirSync(connection, { recursive: true })
    const { name, portalGroup, port } = target
    const attributes = {
      targetname: name,
      tpgt: portalGroup,
      ifacename: iface,
      state: 'LOGGED_IN',
      recovery_tmo: timeout,
    }
    for (const [attribute, value] of Object.entries(attributes)) writeFileSync(join(session, attribute), `${value}\n`)
    const places = { persistent_address: address, persistent_port: port, address: target.address, port }
    for (const [attribute, value] of Object.entries(places)) writeFileSync(join(connection, attribute), `${value}\n`)
    this.scan(sid)
    return sid
  }

  /** Finds the units that the target shows by now. */
  scan(sid: number): void {
    const name = this.session(sid, 'targetname')
    for (const [lun, kind] of this.targets.find((each) => each.name === name)?.luns ?? []) {
      const unit = join(this.sessionDirectory(sid), `device/target${sid}:0:0/${sid}:0:0:${lun}`)
      if (existsSync(unit)) continue
      mkdirSync(unit, { recursive: true })
      writeFileSync(join(unit, 'state'), 'running\n')
      if (kind === 'controller') continue
      const disk = `sd${String.fromCharCode(97 + (this.nextDisk++ % 26))}`
      mkdirSync(join(unit, 'block', disk), { recursive: true })
      mkdirSync(join(this.sysRoot, 'class/block', disk, 'holders'), { recursive: true })
      writeFileSync(join(this.sysRoot, 'class/block', disk, 'dev'), `8:${16 * this.nextDisk}\n`)
    }
  }

  /** Each session that the kernel has. */
  sessions(): { sid: number; name: string; iface: string; state: string; address: string }[] {
    return readdirSync(join(this.sysRoot, 'class/iscsi_session')).map((entry) => {
      const sid = Number(entry.slice('session'.length))
      const read = (attribute: string) => this.session(sid, attribute)
      const address = readFileSync(join(this.connection(sid), 'persistent_address'), 'utf8').trim()
      return { sid, name: read('targetname'), iface: read('ifacename'), state: read('state'), address }
    })
  }

  setState(sid: number, state: string): void {
    writeFileSync(join(this.sessionDirectory(sid), 'state'), `${state}\n`)
  }

  setUnitState(disk: string, state: string): void {
    const units = readdirSync(this.sysRoot, { recursive: true, withFileTypes: true })
    const found = units.find((entry) => entry.name === disk && entry.parentPath.endsWith('/block'))
    if (found === undefined) throw new Error(`there is no ${disk}`)
    writeFileSync(join(found.parentPath, '../state'), `${state}\n`)
  }

  dropSession(sid: number): void {
    for (const disk of this.disksOf(sid)) rmSync(join(this.sysRoot, 'class/block', disk), { recursive: true })
    rmSync(this.sessionDirectory(sid), { recursive: true })
    rmSync(this.connection(sid), { recursive: true })
  }

  disksOf(sid: number): string[] {
    const entries = readdirSync(join(this.sessionDirectory(sid), 'device'), { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.parentPath.endsWith('/block')).map((entry) => entry.name)
  }

  /** What holds a disk: a volume, or a map of multipath. */
  addHolder(disk: string, name: string, dm: { readonly name: string; readonly uuid: string }, slaves = [disk]): void {
    const directory = join(this.sysRoot, 'class/block', name)
    mkdirSync(join(this.sysRoot, 'class/block', disk, 'holders', name), { recursive: true })
    for (const slave of slaves) mkdirSync(join(directory, 'slaves', slave), { recursive: true })
    mkdirSync(join(directory, 'dm'), { recursive: true })
    writeFileSync(join(directory, 'dm/name'), `${dm.name}\n`)
    writeFileSync(join(directory, 'dm/uuid'), `${dm.uuid}\n`)
    writeFileSync(join(directory, 'dev'), `253:${this.nextDisk++}\n`)
  }

  has(sid: number): boolean {
    return existsSync(this.sessionDirectory(sid))
  }

  private session(sid: number, attribute: string): string {
    return readFileSync(join(this.sessionDirectory(sid), attribute), 'utf8').trim()
  }

  private sessionDirectory(sid: number): string {
    return join(this.sysRoot, `class/iscsi_session/session${sid}`)
  }

  private connection(sid: number): string {
    return join(this.sysRoot, `class/iscsi_connection/connection${sid}:0`)
  }
}
