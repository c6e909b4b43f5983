import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Run, RunResult } from '../../../src/agent/host/run.js'
import { FakeKernel, type FakeTarget } from './iscsi-kernel.js'
import { temporaryDirectory } from './temporary.js'

/** Says what a program answers instead of what the fake would; undefined: nothing special. */
export type Intercept = (
  program: string,
  args: readonly string[],
) => Promise<RunResult | undefined> | RunResult | undefined

export const exited = (code: number, stderr = '', stdout = ''): RunResult => ({
  outcome: 'exited',
  code,
  stdout,
  stderr,
  truncated: false,
})
export const timedOut: RunResult = { outcome: 'timed-out', stdout: '', stderr: '', truncated: false }
export const unkillable = (ended: Promise<void>): RunResult => ({
  outcome: 'unkillable',
  ended,
  stdout: '',
  stderr: '',
  truncated: false,
})
export const notThere = (program: string): RunResult => ({
  outcome: 'not-started',
  error: Object.assign(new Error(`spawn ${program} ENOENT`), { code: 'ENOENT' }),
})

/**
 * An initiator in a directory: iscsiadm with the exit codes and words of open-iscsi 2.1.8, its database as files, and the
 * kernel's side of it. Sessions outlive a driver, as they outlive an agent.
 */
export class FakeInitiator {
  readonly kernel: FakeKernel
  /** Every argv, in order. */
  readonly argv: string[] = []
  readonly resolves = new Map<string, readonly string[]>([['localhost', ['127.0.0.1']]])
  /** What reading a disk comes to; `reads` where it is not said. */
  readonly disks = new Map<string, 'reads' | 'fails' | 'hangs'>()
  /** What find(1) sees open: pid and device. */
  open: readonly (readonly [pid: number, device: string])[] = []
  readonly missing = new Set<string>()
  iscsid: 'runs' | 'rests' = 'runs'
  module: 'loadable' | 'missing' = 'loadable'
  intercept: Intercept = () => undefined

  private constructor(private readonly root: string) {
    this.kernel = new FakeKernel(join(root, 'sys'))
    mkdirSync(this.databaseRoot, { recursive: true })
  }

  static async make(): Promise<FakeInitiator> {
    return new FakeInitiator(await temporaryDirectory())
  }

  get databaseRoot(): string {
    return join(this.root, 'etc/iscsi')
  }

  target(given: Partial<FakeTarget> = {}): FakeTarget {
    const target: FakeTarget = {
      name: 'iqn.2026-01.test.example:disks',
      address: '10.0.0.5',
      port: 3260,
      portalGroup: 1,
      reaches: 'answers',
      luns: new Map([
        [0, 'controller'],
        [1, 'disk'],
      ]),
      ...given,
    }
    this.kernel.targets.push(target)
    return target
  }

  readonly run: Run = async (program, args, options) => {
    this.argv.push([program, ...args].join(' '))
    if (this.missing.has(program)) return notThere(program)
    const special = await this.intercept(program, args)
    if (special !== undefined) return special
    if (options.signal?.aborted) return timedOut
    const answer = this.programs[program]
    return answer === undefined ? notThere(program) : answer(args)
  }

  /** Every file of the database, without what stands in it. */
  records(): string[] {
    const below = join(this.databaseRoot, 'nodes')
    if (!existsSync(below)) return []
    const files = readdirSync(below, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    return files.map((file) => join(file.parentPath, file.name).slice(below.length + 1)).sort()
  }

  /** A file as a crash, or somebody else, left it. */
  leave(path: string, text: string): void {
    const file = join(this.databaseRoot, 'nodes', path)
    mkdirSync(join(file, '..'), { recursive: true })
    writeFileSync(file, text, { mode: 0o600 })
  }

  recordText(path: string): string {
    return readFileSync(join(this.databaseRoot, 'nodes', path), 'utf8')
  }

  private readonly programs: Readonly<Record<string, (args: readonly string[]) => Promise<RunResult> | RunResult>> = {
    iscsiadm: (args) => this.iscsiadm(args),
    iscsid: () => exited(0, '', 'iscsid version 2.1.8\n'),
    modprobe: () => exited(this.module === 'missing' ? 1 : 0),
    getent: ([, , host]) => {
      const found = this.resolves.get(host!)
      return found === undefined ? exited(2) : exited(0, '', found.map((ip) => `${ip}  STREAM ${host}\n`).join(''))
    },
    dd: (args) => this.read(args[0]!.slice('if=/dev/'.length)),
    blockdev: () => exited(0),
    multipath: () => exited(0),
    find: (args) => {
      const seen = this.open.filter(([, device]) => args.includes(device))
      return exited(
        1,
        'find: ‘/proc/1/fd/0’: Permission denied',
        seen.map(([pid, dev]) => `/proc/${pid}/fd/7 ${dev}\n`).join(''),
      )
    },
  }

  private read(disk: string): RunResult {
    const comes = this.disks.get(disk) ?? 'reads'
    if (comes === 'hangs') return timedOut
    return comes === 'reads' ? exited(0) : exited(1, `dd: error reading '/dev/${disk}': Input/output error`)
  }

  private iscsiadm(args: readonly string[]): RunResult {
    if (args[0] === '--version') return exited(0, '', 'iscsiadm version 2.1.8\n')
    const given = (flag: string) => args[args.indexOf(flag) + 1]
    const mode = given('-m')
    if (mode === 'iface') {
      mkdirSync(join(this.databaseRoot, 'ifaces'), { recursive: true })
      writeFileSync(join(this.databaseRoot, 'ifaces', given('-I')!), `iface.iscsi_ifacename = ${given('-I')}\n`)
      return exited(0)
    }
    if (mode === 'session') return this.iscsiadmSession(Number(given('-r')), args.includes('--logout'))
    const [host, port, tag] = portalIn(given('-p')!)
    const record = join(this.databaseRoot, 'nodes', given('-T')!, `${host},${port},${tag}`, given('-I')!)
    if (args.includes('new')) {
      mkdirSync(join(record, '..'), { recursive: true, mode: 0o700 })
      writeFileSync(record, recordText(given('-T')!, given('-I')!, host, port, tag), { mode: 0o600 })
      return exited(0, this.iscsid === 'runs' ? '' : 'iscsiadm: can not connect to iSCSI daemon (111)!')
    }
    if (!existsSync(record)) return exited(21, 'iscsiadm: No records found')
    if (args.includes('delete')) {
      if (this.sessionOf(given('-T')!, host, given('-I')!) !== undefined) return exited(15, 'a session is using it')
      rmSync(record)
      return exited(0)
    }
    return this.login(readFileSync(record, 'utf8'), given('-T')!, host, port, given('-I')!)
  }

  private login(record: string, name: string, host: string, port: number, iface: string): RunResult {
    const failed = (code: number, words: string) =>
      exited(
        code,
        `iscsiadm: Could not login to [iface: ${iface}, target: ${name}, portal: ${host},${port}].\n` +
          `iscsiadm: initiator reported error (${code} - ${words})\niscsiadm: Could not log into all portals\n`,
      )
    if (this.iscsid === 'rests') return failed(20, 'could not connect to iscsid')
    if (this.module === 'missing') return failed(12, 'iSCSI driver not found. Please make sure it is loaded')
    if (this.sessionOf(name, host, iface) !== undefined) return failed(15, 'session exists')
    const addresses = this.addressesOf(host)
    const target = this.kernel.targets.find(
      (each) => each.name === name && each.port === port && addresses.includes(each.address),
    )
    if (target === undefined || target.reaches === 'silent') return failed(8, 'connection timed out')
    if (target.reaches === 'refuses') return failed(4, 'encountered connection failure')
    if (Number(said(record, 'node.tpgt')) !== target.portalGroup)
      return failed(19, 'encountered non-retryable iSCSI login failure')
    if (!isProven(record, target)) return failed(24, 'iSCSI login failed due to authorization failure')
    this.kernel.logIn(target, host, iface, said(record, 'node.session.timeo.replacement_timeout'))
    return exited(0, '', 'Login to … successful.\n')
  }

  private iscsiadmSession(sid: number, logout: boolean): RunResult {
    if (!this.kernel.has(sid)) {
      return exited(
        22,
        `iscsiadm: could not read session targetname: 5\niscsiadm: Could not get session info for sid ${sid}`,
      )
    }
    if (this.iscsid === 'rests') return exited(20, 'iscsiadm: can not connect to iSCSI daemon (111)!')
    if (logout) this.kernel.dropSession(sid)
    else this.kernel.scan(sid)
    return exited(0)
  }

  private sessionOf(name: string, host: string, iface: string): number | undefined {
    const addresses = [host, ...this.addressesOf(host)]
    return this.kernel
      .sessions()
      .find((each) => each.name === name && each.iface === iface && addresses.includes(each.address))?.sid
  }

  private addressesOf(host: string): readonly string[] {
    return this.resolves.get(host) ?? [host]
  }
}

function portalIn(text: string): [host: string, port: number, tag: number] {
  const [, host, port, tag] = /^(.+):(\d+),(\d+)$/.exec(text)!
  return [host!.replace(/^\[(.*)\]$/, '$1'), Number(port), Number(tag)]
}

function isProven(record: string, { chap }: FakeTarget): boolean {
  const auth = (name: string) => said(record, `node.session.auth.${name}`)
  if (chap === undefined) return true
  if (auth('username') !== chap.user || auth('password') !== chap.password) return false
  return (
    auth('username_in') === undefined ||
    (auth('username_in') === chap.userIn && auth('password_in') === chap.passwordIn)
  )
}

const said = (record: string, name: string): string | undefined =>
  record
    .split('\n')
    .find((line) => line.startsWith(`${name} = `))
    ?.slice(name.length + 3)

const recordText = (
  name: string,
  iface: string,
  host: string,
  port: number,
  tag: number,
): string => `# BEGIN RECORD 2.1.8
node.name = ${name}
node.tpgt = ${tag}
node.startup = automatic
node.leading_login = No
iface.iscsi_ifacename = ${iface}
iface.transport_name = tcp
node.discovery_type = static
node.session.initial_login_retry_max = 8
node.session.auth.authmethod = None
node.session.auth.chap_algs = MD5
node.session.timeo.replacement_timeout = 120
node.conn[0].address = ${host}
node.conn[0].port = ${port}
node.conn[0].startup = manual
node.conn[0].timeo.login_timeout = 15
node.conn[0].iscsi.HeaderDigest = None
# END RECORD
`
