import { randomUUID } from 'node:crypto'
import { FaultError } from '../../agent/fault.js'
import type { GuestChannel, GuestSight, MessageMark } from '../../agent/guests/driver.js'
import type { MessageDone, SendMessage } from '../../wire/guests/commands.js'
import type { GuestIntent } from '../../wire/guests/intent.js'
import type { FaultParameters } from '../fault-parameters.js'

type Trouble = FaultParameters['guest']

interface Boot {
  readonly id: string
  readonly trouble: Trouble | null
  readonly atMs: number
}

interface Mark {
  readonly message: SendMessage
  state: 'accepted' | 'running' | 'done'
  /** It was started in. */
  bootId: string | null
  done: MessageDone | null
}

const BOOT_MS = 20

/** A machine in memory, with a disk that remembers which messages it was sent. */
export class SimulatedGuest implements GuestChannel {
  private boot: Boot | null = null
  private paused = false
  private crashed = false
  private readonly marks = new Map<string, Mark>()
  /** Messages that were begun, each as often as that happened. */
  readonly begun: string[] = []

  constructor(
    public intent: GuestIntent,
    private readonly troubleOfBoot: () => Trouble | null,
    private readonly onChange: () => void,
  ) {}

  /** As it is wanted, from now on. */
  become(intent: GuestIntent): void {
    this.intent = intent
    if (intent.power === 'STOPPED') {
      this.powerOff()
      return
    }
    if (this.boot === null) this.powerOn()
    this.paused = intent.power === 'PAUSED'
    this.onChange()
  }

  powerOff(): void {
    this.boot = null
    this.paused = false
    this.crashed = false
    this.onChange()
  }

  /** It ends without being asked to. */
  crashNow(): void {
    if (this.boot !== null) this.crash(this.boot)
  }

  reset(): void {
    this.powerOff()
    this.powerOn()
  }

  see(): GuestSight {
    const { boot } = this
    const agentPort = boot === null || !this.hasBooted(boot) || isDeaf(boot) ? 'NEVER' : 'OPEN'
    return { status: this.status, bootId: boot?.id ?? null, agentPort, fault: null }
  }

  get console(): string {
    if (this.boot === null && !this.crashed) return ''
    const { trouble } = this.boot ?? { trouble: null }
    return trouble?.how === 'kernel-panic'
      ? `[    0.000000] Linux version 6.1.0-simulated\nKernel panic - not syncing: ${trouble.message}\n`
      : '[    0.000000] Linux version 6.1.0-simulated\n'
  }

  async ping(): Promise<{ bootId: string; agentVersion: string; roundTripMs: number }> {
    const boot = this.requireBoot()
    const { how, message = '' } = boot.trouble ?? {}
    if (how === 'kernel-panic') throw new FaultError('kernel-panic', `Kernel panic - not syncing: ${message}`)
    if (how === 'port-never-opened' || !this.hasBooted(boot))
      throw new FaultError('port-never-opened', 'the agent in the guest has not opened its port')
    if (how === 'agent-silent' || this.paused)
      throw new FaultError('agent-silent', 'the agent in the guest does not answer')
    if (how === 'agent-too-old') throw new FaultError('agent-too-old', message)
    return { bootId: boot.id, agentVersion: 'simulated', roundTripMs: 1 }
  }

  async mark(messageId: string): Promise<MessageMark> {
    this.requireBoot()
    const mark = this.marks.get(messageId)
    if (mark === undefined) return { state: 'none' }
    if (mark.done !== null) return { state: 'done', done: mark.done }
    if (mark.state === 'running' && mark.bootId !== this.boot?.id) return { state: 'cut-off' }
    return { state: mark.state === 'running' ? 'running' : 'accepted' }
  }

  async put(message: SendMessage): Promise<void> {
    this.requireBoot()
    if (!this.marks.has(message.messageId))
      this.marks.set(message.messageId, { message, state: 'accepted', bootId: null, done: null })
  }

  async go(messageId: string): Promise<void> {
    const boot = this.requireBoot()
    const mark = this.marks.get(messageId)
    if (mark === undefined || mark.state !== 'accepted') return
    mark.state = 'running'
    mark.bootId = boot.id
    this.begun.push(messageId)
    const { how, message = '' } = boot.trouble ?? {}
    const done = how === 'prepare-failed' ? { exitCode: 100, output: message } : { exitCode: 0, output: 'done\n' }
    setImmediate(() => {
      if (this.boot === boot) mark.done = done
    })
  }

  private get status(): GuestSight['status'] {
    if (this.boot === null) return this.crashed ? 'CRASHED' : 'STOPPED'
    if (this.boot.trouble?.how === 'kernel-panic') return 'CRASHED'
    return this.paused ? 'PAUSED' : 'RUNNING'
  }

  private powerOn(): void {
    const trouble = this.troubleOfBoot()
    if (trouble?.how === 'vm-not-started') throw new FaultError('vm-not-started', trouble.message)
    const boot: Boot = { id: randomUUID(), trouble, atMs: performance.now() }
    this.boot = boot
    this.crashed = false
    if (trouble?.how === 'dies') setTimeout(() => this.crash(boot), trouble.delayMs).unref()
    this.onChange()
  }

  private crash(boot: Boot): void {
    if (this.boot !== boot) return
    this.boot = null
    this.crashed = true
    this.onChange()
  }

  private hasBooted({ trouble, atMs }: Boot): boolean {
    const bootMs = trouble?.how === 'slow-boot' ? trouble.delayMs : BOOT_MS
    return performance.now() - atMs >= bootMs
  }

  private requireBoot(): Boot {
    if (this.boot === null) throw new FaultError('vm-not-started', 'the guest does not run')
    return this.boot
  }
}

const isDeaf = ({ trouble }: Boot): boolean => trouble?.how === 'port-never-opened' || trouble?.how === 'kernel-panic'
