import { execFile } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { freePort } from '../../support/address.js'
import { eventually } from '../../support/eventually.js'
import type { Ground } from '../../trial/support/ground.js'
import { Server } from './server.js'

export interface IscsiTarget {
  readonly iqn: string
  /** Who may log in, and with what; without it, everybody. */
  readonly chap?: { readonly user: string; readonly password: string }
}

const LUN_BYTES = 64 * 1024 * 1024
const ADMIN_MS = 10_000
const PORTALS = 2

/** Linux's tgt: each target has one disk, LUN 1, and is served at every portal. */
export class IscsiServer extends Server {
  protected readonly env: Readonly<Record<string, string>>

  private constructor(
    ground: Ground,
    ports: readonly number[],
    private readonly targets: readonly IscsiTarget[],
  ) {
    super(ground, ports)
    // where tgtadm finds it, and where it keeps its lock: else the whole machine has one
    this.env = { TGT_IPC_SOCKET: this.path('control') }
  }

  static async start(ground: Ground, targets: readonly IscsiTarget[]): Promise<IscsiServer> {
    const ports = await Promise.all(Array.from({ length: PORTALS }, () => freePort()))
    const server = new IscsiServer(ground, ports, targets)
    mkdirSync(server.path(), { recursive: true })
    for (const index of targets.keys()) {
      writeFileSync(server.disk(index), '')
      truncateSync(server.disk(index), LUN_BYTES)
    }
    await server.start()
    return server
  }

  protected override async command(): Promise<readonly string[]> {
    return ['tgtd', '--foreground', '--iscsi', this.ports.map((port) => `portal=127.0.0.1:${port}`).join(',')]
  }

  protected override log(): string {
    return ''
  }

  protected override async prepare(): Promise<void> {
    for (const [index, { iqn, chap }] of this.targets.entries()) {
      const target = ['--tid', String(index + 1)]
      // its control socket may come a moment after its portals
      await eventually(() => this.admin('new', 'target', ...target, '--targetname', iqn))
      await this.admin('new', 'logicalunit', ...target, '--lun', '1', '--backing-store', this.disk(index))
      if (chap) await this.guard(target, chap)
      await this.admin('bind', 'target', ...target, '--initiator-address', 'ALL')
    }
  }

  private async guard(target: readonly string[], { user, password }: NonNullable<IscsiTarget['chap']>): Promise<void> {
    await this.admin('new', 'account', '--user', user, '--password', password)
    await this.admin('bind', 'account', ...target, '--user', user)
  }

  private async admin(operation: string, mode: string, ...args: readonly string[]): Promise<void> {
    const words = ['--lld', 'iscsi', '--op', operation, '--mode', mode, ...args]
    await promisify(execFile)('tgtadm', words, { timeout: ADMIN_MS, env: { ...process.env, ...this.env } })
  }

  private disk(index: number): string {
    return this.path(`disk-${index + 1}`)
  }

  private path(...parts: readonly string[]): string {
    return this.ground.path('iscsi', ...parts)
  }
}
