import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../src/agent/host/run.js'
import { eventually } from '../../support/eventually.js'
import { fromRoot } from '../../support/process.js'

/** A libvirt of this test's own, with its guests: nothing of the machine's is touched, and all of it ends with the test. */
export class SessionLibvirt {
  readonly directory = mkdtempSync(join(tmpdir(), 'keelson-libvirt-'))
  readonly uri = `qemu+unix:///system?socket=${join(this.directory, 'run', 'libvirt-sock')}`
  /** Holds the namespace, and whatever is started in it. */
  private holder: ChildProcess | null = null
  private daemons: { virtlogd: ChildProcess; libvirtd: ChildProcess } | null = null

  static async start(): Promise<SessionLibvirt> {
    const libvirt = new SessionLibvirt()
    await libvirt.prepare()
    libvirt.daemons = { virtlogd: libvirt.daemon('virtlogd'), libvirtd: libvirt.daemon('libvirtd') }
    await libvirt.answers()
    return libvirt
  }

  /** kill -9 of libvirtd, and another one. */
  async restart(): Promise<void> {
    await this.kill()
    this.daemons!.libvirtd = this.daemon('libvirtd')
    await this.answers()
  }

  async kill(): Promise<void> {
    await ended(this.daemons!.libvirtd, 'SIGKILL')
  }

  async virsh(...args: string[]): Promise<string> {
    const result = await run('virsh', ['-q', '-c', this.uri, ...args], { deadlineMs: 30_000, maxOutputBytes: 1e6 })
    if (result.outcome !== 'exited') throw new Error(`virsh ${args.join(' ')}: ${result.outcome}`)
    if (result.code !== 0) throw new Error(`virsh ${args.join(' ')}: ${result.stderr}`)
    return result.stdout
  }

  /** Of the QEMU of a domain; null: none runs. */
  pidOf(domain: string): number | null {
    const path = join(this.directory, 'run', 'qemu', `${domain}.pid`)
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) : null
  }

  async end(): Promise<void> {
    const domains = (await this.virsh('list', '--name').catch(() => '')).split('\n').filter((name) => name !== '')
    for (const domain of domains) await this.virsh('destroy', domain).catch(() => undefined)
    if (this.daemons !== null) {
      await ended(this.daemons.libvirtd, 'SIGTERM')
      await ended(this.daemons.virtlogd, 'SIGTERM')
    }
    if (this.holder !== null) await ended(this.holder, 'SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  private async prepare(): Promise<void> {
    const script = fromRoot('scripts/session-libvirt.sh')
    const unshared = ['--mount', '--propagation', 'unchanged', 'sh', script, this.directory]
    this.holder = spawn('unshare', unshared, { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(this.holder.stdout!, 'data')
  }

  private daemon(name: 'virtlogd' | 'libvirtd'): ChildProcess {
    const pid = join(this.directory, `${name}.pid`)
    const config = name === 'libvirtd' ? ['-f', join(this.directory, 'etc', 'libvirtd.conf')] : []
    const args = [`--mount=/proc/${this.holder!.pid}/ns/mnt`, name, '-p', pid, ...config]
    return spawn('nsenter', args, { stdio: 'ignore' })
  }

  private async answers(): Promise<void> {
    await eventually(() => this.virsh('version'), { timeoutMs: 60_000, intervalMs: 200 })
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const over = once(child, 'exit')
  child.kill(signal)
  const killed = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await over
  clearTimeout(killed)
}
