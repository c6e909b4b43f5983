import { randomUUID } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FaultError } from '../../../src/agent/fault.js'
import type { GuestSight } from '../../../src/agent/guests/driver.js'
import { domainName } from '../../../src/agent/guests/libvirt/domain-xml.js'
import { LibvirtDriver } from '../../../src/agent/guests/libvirt/driver.js'
import { deliver, pingUntil } from '../../../src/agent/guests/messages.js'
import { silentLogger } from '../../../src/agent/logger.js'
import type { MessageDone, Pong } from '../../../src/wire/guests/commands.js'
import type { GuestIntent, ImageIntent, VolumeIntent } from '../../../src/wire/guests/intent.js'
import type { GuestTask } from '../../../src/wire/guests/task.js'
import { eventually } from '../../support/eventually.js'
import { minimalGuest } from './minimal-guest.js'
import { SessionLibvirt } from './session-libvirt.js'

const CONNECTION = 'disks'
const ANSWERS_MS = 120_000

/** What its tests need of the machine. */
export const guestPrograms = [
  'curl',
  'libvirtd',
  'qemu-img',
  'qemu-system-x86_64',
  'unshare',
  'virsh',
  'virtlogd',
  'xorriso',
]

/** The layer that failed. */
export const faultType = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing',
    (error: unknown) => (error instanceof FaultError ? error.type : String(error)),
  )

export const never = new AbortController().signal

export const aTask = (more: Partial<GuestTask> = {}): GuestTask => ({
  users: [],
  packages: [],
  files: [],
  commands: [],
  ...more,
})

export const sh = (script: string): GuestTask => aTask({ commands: [{ argv: ['sh', '-c', script] }] })

/** A driver with a libvirt and a storage of its own, and the minimal guest as an image there. */
export class GuestBench {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'keelson-guests-'))
  readonly storage = mkdtempSync(join(tmpdir(), 'keelson-disks-'))
  readonly image: ImageIntent = {
    id: randomUUID(),
    format: 'kernel',
    connectionId: CONNECTION,
    files: [
      { role: 'kernel', path: 'images/minimal/vmlinuz', url: null, sha256: null },
      { role: 'initrd', path: 'images/minimal/initrd', url: null, sha256: null },
    ],
  }
  driver: LibvirtDriver

  private constructor(readonly libvirt: SessionLibvirt) {
    mkdirSync(join(this.storage, 'images', 'minimal'), { recursive: true })
    const { kernel, initrd } = minimalGuest()
    copyFileSync(kernel, join(this.storage, 'images', 'minimal', 'vmlinuz'))
    copyFileSync(initrd, join(this.storage, 'images', 'minimal', 'initrd'))
    this.driver = this.anotherDriver()
  }

  static async start(): Promise<GuestBench> {
    const bench = new GuestBench(await SessionLibvirt.start())
    await eventually(async () => expect(await bench.driver.obstacle()).toBeNull(), { timeoutMs: 90_000 })
    return bench
  }

  /** As after a restart of the agent. */
  anotherDriver(): LibvirtDriver {
    return new LibvirtDriver({
      stateDir: this.stateDir,
      uri: this.libvirt.uri,
      logger: silentLogger,
      directoryOf: (id) => (id === CONNECTION ? this.storage : null),
    })
  }

  guest(more: Partial<GuestIntent> = {}, words = ''): GuestIntent {
    return {
      id: randomUUID(),
      name: 'minimal',
      vcpus: 1,
      memoryMiB: 128,
      disks: [],
      nics: [],
      kernel: { image: this.image, commandLine: `console=ttyS0 quiet ${words}`.trim() },
      seed: false,
      channel: true,
      power: 'RUNNING',
      stopGraceMs: 30_000,
      restartPolicy: 'never',
      ...more,
    }
  }

  volume(more: Partial<VolumeIntent> = {}): VolumeIntent {
    return { id: randomUUID(), connectionId: CONNECTION, format: 'qcow2', sizeMiB: 32, origin: null, ...more }
  }

  async apply(guest: GuestIntent): Promise<GuestIntent> {
    await this.driver.apply(guest, never)
    return guest
  }

  answers({ id }: GuestIntent, waitMs = ANSWERS_MS): Promise<Pong> {
    return pingUntil(this.driver.channel(id), waitMs, never)
  }

  message(
    { id }: GuestIntent,
    bootId: string,
    task: GuestTask,
    messageId: string = randomUUID(),
  ): Promise<MessageDone> {
    const message = { guestId: id, messageId, kind: 'run' as const, bootId, runTimeoutMs: 60_000, task }
    return deliver(this.driver.channel(id), message, never)
  }

  /** What a script printed in a guest. */
  async output(guest: GuestIntent, script: string): Promise<string> {
    const { bootId } = await this.answers(guest)
    const { exitCode, output } = await this.message(guest, bootId, sh(script))
    if (exitCode !== 0) throw new Error(`exit code ${exitCode}: ${output}`)
    return output.trim()
  }

  async see({ id }: GuestIntent): Promise<GuestSight | null> {
    return this.driver.see(id)
  }

  status(guest: GuestIntent, status: GuestSight['status'], timeoutMs = 60_000): Promise<void> {
    return eventually(async () => expect((await this.see(guest))?.status).toBe(status), { timeoutMs, intervalMs: 100 })
  }

  pid({ id }: GuestIntent): number {
    const pid = this.libvirt.pidOf(domainName(id))
    if (pid === null) throw new Error('its QEMU does not run')
    return pid
  }

  /** Files of this host that have to do with guests, but for images. */
  leftovers(): string[] {
    const below = (directory: string): string[] =>
      readdirSync(directory).flatMap((name) => {
        const path = join(directory, name)
        return statSync(path).isDirectory() ? below(path) : [path]
      })
    const isLasting = (path: string) => path.endsWith('/probed.json') || path.includes('/images/')
    return [...below(this.stateDir), ...below(this.storage)].filter((path) => !isLasting(path))
  }

  /** Nothing of a guest is left running or lying about. */
  async removeAll(): Promise<void> {
    for (const id of await this.driver.list()) await this.driver.remove(id, never)
  }

  async end(): Promise<void> {
    await this.driver.close()
    await this.libvirt.end()
    for (const path of [this.stateDir, this.storage]) rmSync(path, { recursive: true, force: true })
  }
}
