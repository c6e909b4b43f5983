import { setTimeout as delay } from 'node:timers/promises'
import { FaultError } from '../../fault.js'
import { domainName } from './domain-xml.js'
import { type AgentCommand, type Virsh, VirshError } from './virsh.js'

/** Of a file's content at once: qga keeps a request whole in memory. */
const CHUNK_BYTES = 49_152
const EXEC_MS = 60_000
const LOOK_EVERY_MS = 100
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** What messages are carried by. */
const needed = [
  'guest-exec',
  'guest-exec-status',
  'guest-file-close',
  'guest-file-open',
  'guest-file-read',
  'guest-file-write',
]

export interface Executed {
  readonly exitCode: number
  readonly output: string
}

interface ExecStatus {
  readonly exited: boolean
  readonly exitcode?: number
  readonly signal?: number
  readonly 'out-data'?: string
}

interface GuestInfo {
  readonly version: string
  readonly supported_commands: readonly { readonly name: string; readonly enabled: boolean }[]
}

/** The QEMU guest agent in one guest. @throws VirshError in libvirt's words */
export class GuestAgent {
  constructor(
    private readonly virsh: Virsh,
    private readonly guestId: string,
  ) {}

  /** Answers at all, and with the id of the kernel that it runs under. */
  async kernel(signal: AbortSignal): Promise<{ readonly kernelId: string; readonly roundTripMs: number }> {
    const begunMs = performance.now()
    const [, handle] = await this.call(signal, { execute: 'guest-ping' }, open(BOOT_ID, 'r'))
    const roundTripMs = Math.round(performance.now() - begunMs)
    const [read] = await this.call(
      signal,
      { execute: 'guest-file-read', arguments: { handle, count: 64 } },
      { execute: 'guest-file-close', arguments: { handle } },
    )
    const text = (read as { 'buf-b64': string })['buf-b64']
    return { kernelId: Buffer.from(text, 'base64').toString('utf8').trim(), roundTripMs }
  }

  /** @returns its version. @throws FaultError of `agent-too-old` */
  async version(signal: AbortSignal): Promise<string> {
    const [info] = (await this.call(signal, { execute: 'guest-info' })) as [GuestInfo]
    const enabled = new Set(info.supported_commands.filter((one) => one.enabled).map(({ name }) => name))
    const missing = needed.filter((name) => !enabled.has(name))
    if (missing.length === 0) return info.version
    throw new FaultError(
      'agent-too-old',
      `the agent in the guest, ${info.version}, does not offer ${missing.join(', ')}`,
    )
  }

  async writeFile(path: string, content: string, signal: AbortSignal): Promise<void> {
    const [handle] = await this.call(signal, open(path, 'w'))
    const bytes = Buffer.from(content)
    const writes: AgentCommand[] = []
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const part = bytes.subarray(at, at + CHUNK_BYTES).toString('base64')
      writes.push({ execute: 'guest-file-write', arguments: { handle, 'buf-b64': part } })
    }
    await this.call(signal, ...writes, { execute: 'guest-file-close', arguments: { handle } })
  }

  /** Its end is waited for. */
  async exec(argv: readonly string[], signal: AbortSignal): Promise<Executed> {
    const [path, ...arg] = argv
    const asked = { execute: 'guest-exec', arguments: { path, arg, 'capture-output': true } }
    const [begun] = (await this.call(signal, asked)) as [{ readonly pid: number }]
    const untilMs = performance.now() + EXEC_MS
    for (;;) {
      const [status] = (await this.call(signal, { execute: 'guest-exec-status', arguments: { pid: begun.pid } })) as [
        ExecStatus,
      ]
      if (status.exited) return executed(status)
      if (performance.now() > untilMs) throw new FaultError('agent-silent', `${path} in the guest does not end`)
      await delay(LOOK_EVERY_MS)
    }
  }

  private call(signal: AbortSignal, ...commands: AgentCommand[]): Promise<unknown[]> {
    if (signal.aborted) throw new VirshError('qemu-agent-command', 'there was no time left', 'timed-out')
    return this.virsh.agent(domainName(this.guestId), commands, signal)
  }
}

const open = (path: string, mode: 'r' | 'w'): AgentCommand => ({
  execute: 'guest-file-open',
  arguments: { path, mode },
})

const executed = (status: ExecStatus): Executed => ({
  exitCode: status.exitcode ?? 128 + (status.signal ?? 0),
  output: Buffer.from(status['out-data'] ?? '', 'base64').toString('utf8'),
})
