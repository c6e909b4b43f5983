import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { endProcess, processesOf } from './processes.mjs'

const START_MS = 60_000
const CALL_MS = 5_000
const script = fileURLToPath(new URL('../session-libvirt.sh', import.meta.url))
const programs = [
  'virtlogd',
  'libvirtd',
  'virsh',
  'qemu-system-x86_64',
  'qemu-img',
  'xorriso',
  'curl',
  'unshare',
  'nsenter',
  'apt-get',
  'depmod',
]
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`

/** What a libvirt of one's own, and a guest to be run by it, would need and is not here. */
export function missingForGuests() {
  const missing = programs.filter((name) => !PATH.split(':').some((directory) => existsSync(join(directory, name))))
  return process.getuid() === 0 ? missing : ['the right to mount (root)', ...missing]
}

/** A libvirt of the sandbox's own, with its guests: nothing of the machine's is touched, and all of it ends with the sandbox. */
export class Libvirt {
  #root
  #holder = null

  /** @param root of the sandbox; a socket's path is short, and that may be long */
  constructor(root) {
    this.#root = root
    this.directory = join(tmpdir(), `keelson-libvirt-${createHash('sha256').update(root).digest('hex').slice(0, 12)}`)
    this.uri = `qemu+unix:///system?socket=${join(this.directory, 'run', 'libvirt-sock')}`
  }

  async start(waitFor) {
    await this.stop()
    mkdirSync(this.directory, { mode: 0o700 })
    const unshared = ['--mount', '--propagation', 'unchanged', 'sh', script, this.directory]
    this.#holder = spawn('unshare', unshared, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, PATH } })
    await Promise.race([once(this.#holder.stdout, 'data'), once(this.#holder, 'exit')])
    for (const name of ['virtlogd', 'libvirtd']) this.#enter(name)
    await waitFor('libvirt answers', () => this.#answers(), START_MS)
  }

  /** With its guests, also those of a sandbox that was killed. */
  async stop() {
    const guests = processesOf('qemu-system', this.#root)
    for (const pid of [...guests, ...processesOf('virtd', this.directory), ...processesOf('virtlogd', this.directory)])
      await endProcess(pid, [
        { signal: 'SIGTERM', timeoutMs: 5_000 },
        { signal: 'SIGKILL', timeoutMs: 2_000 },
      ])
    this.#holder?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  #enter(name) {
    const config = join(this.directory, 'etc', `${name}.conf`)
    const args = [
      `--mount=/proc/${this.#holder.pid}/ns/mnt`,
      name,
      '-f',
      config,
      '-p',
      join(this.directory, `${name}.pid`),
    ]
    spawn('nsenter', args, { stdio: 'ignore', env: { ...process.env, PATH } }).unref()
  }

  async #answers() {
    await promisify(execFile)('virsh', ['-q', '-c', this.uri, 'version'], { timeout: CALL_MS })
    return true
  }
}
