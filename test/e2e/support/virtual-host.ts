import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { type Mount, parseMountInfo } from '../../../src/agent/host/mounts.js'
import { freePort } from '../../support/address.js'
import { eventually } from '../../support/eventually.js'
import type { TestProcess } from '../../support/process.js'
import type { Ground } from '../../trial/support/ground.js'
import { type Ran, runInGuest, startInGuest } from './guest-control.js'
import type { Image } from './image.js'

/** Under which name a guest reaches this machine's loopback (QEMU's user-mode network). */
export const OUTSIDE = '10.0.2.2'
export const AGENT_STATE = '/var/lib/keelson-agent'
export const AGENT_LOG = '/var/log/keelson-agent.log'
const AGENT_PID = '/run/keelson-agent.pid'
const KEELSON = ['/opt/keelson/node', '/opt/keelson/dist/src/main.js']

/** Of the agent: Node.js under emulation, on shared processors. */
export const START_MS = 150_000
const CONTROL_PORT = 7001
const BOOT_MS = 120_000
const LOOK_MS = 3_000
const EXEC_MS = 60_000
const DISK_BYTES = 1024 ** 3
const MEMORY_MIB = 768

export interface ExecSettings {
  readonly timeoutMs?: number
  readonly input?: string
}

/**
 * A host of its own: Debian and its kernel in QEMU, with the agent as built. It keeps its disk for as long as the test
 * lives, over power cuts; it reaches this machine's loopback as `OUTSIDE`, and nothing else listens to it.
 */
export class VirtualHost {
  private qemu: TestProcess | null = null
  private control = 0
  /** How long the last boot took. */
  bootMs = 0

  constructor(
    private readonly ground: Ground,
    private readonly image: Image,
    readonly name: string,
  ) {}

  /** Boots, and returns when commands can be run inside. */
  async start(): Promise<void> {
    if (!existsSync(this.disk)) makeDisk(this.disk)
    this.control = await freePort()
    const startedMs = performance.now()
    const qemu = this.ground.run(['setpriv', '--pdeathsig', 'KILL', ...this.qemuCommand()])
    this.qemu = qemu
    let ended = false
    void qemu.ended.then(() => {
      ended = true
    })
    try {
      // QEMU accepts at once; before the guest listens, nobody answers
      const look = () => runInGuest(this.control, { argv: ['true'], timeoutMs: LOOK_MS }, 0)
      await eventually(async () => ended || (await look()), { timeoutMs: BOOT_MS, intervalMs: 100 })
    } catch (error) {
      throw new Error(`${this.name} does not boot: ${(error as Error).message}\n${this.console}`)
    }
    if (ended) throw new Error(`QEMU ended:\n${qemu.stderr}\n${this.console}`)
    this.bootMs = performance.now() - startedMs
  }

  /** A power cut: nothing is written to its disk any more. What is enabled at boot starts by itself again. */
  async reboot(): Promise<void> {
    await this.stop()
    await this.start()
  }

  async stop(): Promise<void> {
    const { qemu } = this
    this.qemu = null
    await qemu?.kill()
  }

  /** Whatever the program's outcome. @throws when the guest does not answer */
  async run(argv: readonly string[], { timeoutMs = EXEC_MS, input }: ExecSettings = {}): Promise<Ran> {
    try {
      return await runInGuest(this.control, { argv, timeoutMs, input })
    } catch (cause) {
      throw new Error(`${argv.join(' ')}: ${(cause as Error).message}\n${this.console}`, { cause })
    }
  }

  /** What it printed. @throws when it fails */
  async exec(argv: readonly string[], settings: ExecSettings = {}): Promise<string> {
    const { code, timedOut, stdout, stderr } = await this.run(argv, settings)
    if (code === 0) return stdout
    const end = timedOut ? 'did not end in time' : `ended with ${code}`
    throw new Error(`${argv.join(' ')} ${end} in the guest:\n${stdout}${stderr}`)
  }

  sh(script: string, settings?: ExecSettings): Promise<string> {
    return this.exec(['sh', '-ec', script], settings)
  }

  /** Goes on after this returns. Answers its pid inside. */
  background(argv: readonly string[]): Promise<number> {
    return startInGuest(this.control, argv)
  }

  /** `keelson agent join`: the token is in no argv. */
  join(token: string): Promise<string> {
    return this.keelson(['agent', 'join', '-', '--name', this.name, '--state-dir', AGENT_STATE], { input: token })
  }

  keelson(args: readonly string[], settings?: ExecSettings): Promise<string> {
    return this.exec([...KEELSON, ...args], settings)
  }

  async startAgent(): Promise<void> {
    await this.background(['/opt/keelson/agent'])
  }

  /** With a join token in a file, which it uses when it starts for the first time. */
  async joinAndStartAgent(token: string): Promise<void> {
    const settings = `KEELSON_AGENT_NAME=${this.name}\nKEELSON_JOIN_TOKEN_FILE=/etc/keelson/join-token\n`
    await this.sh('umask 077; mkdir -p /etc/keelson; cat >/etc/keelson/join-token', { input: token })
    await this.sh('cat >/etc/keelson/agent.env', { input: settings })
    await this.startAgent()
  }

  /** kill -9, and gone when this resolves. */
  async killAgent(): Promise<void> {
    await this.sh(`pid=$(cat ${AGENT_PID}); kill -9 $pid; while kill -0 $pid 2>&-; do sleep 0.05; done`)
  }

  /** Changes with every boot. */
  async bootId(): Promise<string> {
    return (await this.exec(['cat', '/proc/sys/kernel/random/boot_id'])).trim()
  }

  /** The kernel's own list, which answers while mounts hang. */
  async mounts(): Promise<Mount[]> {
    return parseMountInfo(await this.exec(['cat', '/proc/self/mountinfo']))
  }

  /** Of these, what the agent has mounted. */
  async agentMounts(): Promise<Mount[]> {
    return (await this.mounts()).filter(({ mountPoint }) => mountPoint.startsWith(`${AGENT_STATE}/`))
  }

  /** What of the machine the agent's process takes: children by name, open files, threads. */
  agentUses(): Promise<string> {
    return this.sh(
      `pid=$(cat ${AGENT_PID}); ps --no-headers --ppid $pid -o comm || true; ls /proc/$pid/fd | wc -l; ls /proc/$pid/task | wc -l`,
    )
  }

  agentLog(): Promise<string> {
    return this.exec(['cat', AGENT_LOG])
  }

  /** What kernel and init have said since the first boot. */
  get console(): string {
    return existsSync(this.consoleFile) ? readFileSync(this.consoleFile, 'utf8').slice(-4_000) : ''
  }

  private get disk(): string {
    return this.ground.path(`${this.name}.disk`)
  }

  private get consoleFile(): string {
    return this.ground.path(`${this.name}.console`)
  }

  private qemuCommand(): string[] {
    const { kernel, initramfs, system, program } = this.image
    const drive = (id: string, file: string, ...options: string[]) => [
      ...['-drive', [`if=none,id=${id},format=raw,cache=unsafe,file=${file}`, ...options].join(',')],
      ...['-device', `virtio-blk-pci,drive=${id}`],
    ]
    return [
      'qemu-system-x86_64',
      // without AVX: emulating it takes longer than doing without
      ...['-machine', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'Nehalem', '-smp', '2', '-m', `${MEMORY_MIB}`],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-kernel', kernel, '-initrd', initramfs],
      ...['-append', `console=ttyS0 quiet panic=-1 mitigations=off keelson.name=${this.name}`],
      ...['-chardev', `file,id=console,append=on,path=${this.consoleFile}`, '-serial', 'chardev:console'],
      ...drive('system', system, 'readonly=on'),
      ...drive('program', program, 'readonly=on'),
      ...drive('disk', this.disk),
      ...['-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${this.control}-:${CONTROL_PORT}`],
      ...['-device', 'virtio-net-pci,netdev=net', '-device', 'virtio-rng-pci'],
    ]
  }
}

/** Empty and sparse. */
function makeDisk(path: string): void {
  writeFileSync(path, '')
  const file = openSync(path, 'r+')
  ftruncateSync(file, DISK_BYTES)
  closeSync(file)
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-m', '0', '-E', 'lazy_itable_init=1,lazy_journal_init=1', path])
}
