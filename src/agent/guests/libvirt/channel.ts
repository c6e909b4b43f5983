import { setTimeout as delay } from 'node:timers/promises'
import { MAX_OUTPUT_CHARS, type Pong, type SendMessage } from '../../../wire/guests/commands.js'
import { storableText } from '../../../wire/text.js'
import { FaultError } from '../../fault.js'
import type { GuestChannel, MessageMark } from '../driver.js'
import type { Boot, Boots } from './boots.js'
import { panicOn } from './console.js'
import { type Domains, isPortOpen } from './domains.js'
import { agentLayer, isStopped, layerFault } from './faults.js'
import { type Executed, GuestAgent } from './guest-agent.js'
import { BASE, RUNNER_PATH, runner, runnerExits } from './guest-runner.js'
import { taskScript } from './task-script.js'
import { type Virsh, VirshError } from './virsh.js'

/** An agent that is begun anew meanwhile is waited for that long. */
const PATIENCE_MS = 15_000
const AGAIN_AFTER_MS = 300

export interface ChannelParts {
  readonly virsh: Virsh
  readonly domains: Domains
  readonly boots: Boots
  /** Of the guest's serial console. */
  readonly console: string
  /** What the agent of a boot has said it is; kept as long as the guest. */
  readonly versions: Map<string, string>
}

/** The way into one guest, by the QEMU guest agent. */
export class LibvirtChannel implements GuestChannel {
  private readonly agent: GuestAgent
  /** The kernel that the last pong came from: what is begun is begun under that one, or not at all. */
  private kernelId: string | null = null

  constructor(
    private readonly guestId: string,
    private readonly parts: ChannelParts,
  ) {
    this.agent = new GuestAgent(parts.virsh, guestId)
  }

  async ping(signal: AbortSignal): Promise<Omit<Pong, 'unanswered'>> {
    const seen = await this.boot(signal)
    return this.layered(seen, async () => {
      const { kernelId, roundTripMs } = await this.agent.kernel(signal)
      const boot = await this.parts.boots.answered(this.guestId, kernelId, { signal })
      if (boot === null) throw layerFault('vm-not-started', 'the guest has ended')
      const agentVersion = this.parts.versions.get(boot.id) ?? (await this.agent.version(signal))
      this.parts.versions.set(boot.id, agentVersion)
      this.kernelId = kernelId
      return { bootId: boot.id, agentVersion: agentVersion.slice(0, 64), roundTripMs }
    })
  }

  async mark(messageId: string, signal: AbortSignal): Promise<MessageMark> {
    return markIn(await this.patiently(signal, () => this.runner(signal, 'mark', messageId)))
  }

  async put(message: SendMessage, signal: AbortSignal): Promise<void> {
    const { messageId, task, runTimeoutMs } = message
    if (task == null) throw new FaultError('invalid', 'the message has no task')
    const script = `# ${Math.ceil(runTimeoutMs / 1000)}\n${taskScript(task)}`
    await this.patiently(signal, async () => {
      await this.runner(signal, 'prepare', messageId)
      await this.agent.writeFile(`${BASE}/messages/${messageId}/task.new`, script, signal)
      await this.runner(signal, 'accept', messageId, String(Buffer.byteLength(script)))
    })
  }

  /** Not sent again where it is not known whether it arrived: it would do no harm, but time may be over by then. */
  async go(messageId: string, signal: AbortSignal): Promise<void> {
    const { kernelId } = this
    if (kernelId === null) throw new FaultError('boot-changed', 'there was no pong before it')
    await this.layered(null, () => this.runner(signal, 'go', messageId, kernelId))
  }

  /** @throws FaultError of a layer where the guest cannot be spoken to at all */
  private async boot(signal: AbortSignal): Promise<Boot> {
    const { domains, boots, console } = this.parts
    const state = await domains.state(this.guestId, { signal })
    const xml = state === null ? null : await domains.xml(this.guestId, 'live', { signal })
    if (state === null || xml === null || state.phase === 'off')
      throw layerFault('vm-not-started', 'the guest does not run')
    const panic = await panicOn(console)
    if (panic !== null) throw layerFault('kernel-panic', panic)
    if (state.phase === 'crashed') throw layerFault('vm-not-started', 'the guest has crashed')
    if (state.phase === 'paused') throw pausedFault()
    const boot = await boots.current(this.guestId, { signal })
    if (boot === null) throw layerFault('vm-not-started', 'the guest has ended')
    if (isPortOpen(xml)) return boot
    if (boot.opened) throw layerFault('agent-silent', 'the agent in the guest has closed its port')
    throw layerFault('port-never-opened', 'the agent in the guest has not opened its port')
  }

  private async runner(signal: AbortSignal, ...args: string[]): Promise<string> {
    const argv = [
      '/bin/sh',
      '-c',
      `[ -f "$1" ] || exit ${runnerExits.noRunner}; exec sh "$@"`,
      'sh',
      RUNNER_PATH,
      ...args,
    ]
    let done = await this.agent.exec(argv, signal)
    if (done.exitCode === runnerExits.noRunner) {
      await this.placeRunner(signal)
      done = await this.agent.exec(argv, signal)
    }
    return outputOf(done, args)
  }

  private async placeRunner(signal: AbortSignal): Promise<void> {
    const sh = (script: string) => this.agent.exec(['/bin/sh', '-c', script], signal)
    outputOf(await sh(`umask 077; mkdir -p ${BASE}/messages && chmod 700 ${BASE}`), ['place'])
    await this.agent.writeFile(`${RUNNER_PATH}.new`, runner, signal)
    outputOf(await sh(`sync; mv -f ${RUNNER_PATH}.new ${RUNNER_PATH} && sync`), ['place'])
  }

  private async patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const untilMs = performance.now() + PATIENCE_MS
    for (;;) {
      try {
        return await this.layered(null, work)
      } catch (error) {
        const isPassing = error instanceof FaultError && ['agent-silent', 'port-never-opened'].includes(error.type)
        if (!isPassing || signal.aborted || performance.now() > untilMs) throw error
      }
      await delay(AGAIN_AFTER_MS)
    }
  }

  /** Of that, too, libvirt says that the domain is not running. */
  private async isPaused(): Promise<boolean> {
    const state = await this.parts.domains.state(this.guestId).catch(() => null)
    return state?.phase === 'paused'
  }

  /** What libvirt says, as the layer that failed. */
  private async layered<T>(boot: Boot | null, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof VirshError)) throw error
      const panic = await panicOn(this.parts.console)
      if (panic !== null) throw layerFault('kernel-panic', panic)
      if (isStopped(error.words) && (await this.isPaused())) throw pausedFault()
      const layer = agentLayer(error.words)
      throw layerFault(layer === 'port-never-opened' && (boot?.opened ?? true) ? 'agent-silent' : layer, error.words)
    }
  }
}

/** Passes, other than the end of its machine. */
const pausedFault = () => layerFault('agent-silent', 'the guest is paused')

const { otherBoot, notAccepted, notStarted } = runnerExits

function outputOf({ exitCode, output }: Executed, args: readonly string[]): string {
  if (exitCode === 0) return output
  if (exitCode === otherBoot)
    throw layerFault('boot-changed', 'the guest is in another boot than the one that answered')
  if (exitCode === notAccepted) throw layerFault('agent-silent', 'the guest does not have the message whole')
  if (exitCode === notStarted) throw layerFault('agent-silent', 'the guest has not begun the message')
  throw layerFault('prepare-failed', `the runner in the guest cannot ${args[0]}: exit code ${exitCode}`)
}

export function markIn(text: string): MessageMark {
  const end = text.indexOf('\n')
  const [state = '', code] = text.slice(0, end === -1 ? undefined : end).split(' ')
  if (state === 'done') {
    const output = storableText(text.slice(end + 1).slice(-MAX_OUTPUT_CHARS))
    return { state, done: { exitCode: Number(code), output } }
  }
  if (state === 'none' || state === 'accepted' || state === 'running' || state === 'cut-off') return { state }
  throw layerFault('agent-silent', `the runner in the guest says ${JSON.stringify(text.slice(0, 200))}`)
}
