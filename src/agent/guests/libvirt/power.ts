import { setTimeout as delay } from 'node:timers/promises'
import type { GuestIntent } from '../../../wire/guests/intent.js'
import { FaultError } from '../../fault.js'
import { domainName } from './domain-xml.js'
import { type Domains, isPortOpen } from './domains.js'
import { isAbsent, isStopped } from './faults.js'
import { type Virsh, VirshError } from './virsh.js'

const LOOK_EVERY_MS = 100
const START_MS = 60_000
const DESTROY_MS = 30_000
/** One who does not hear the first time may the next, as while it boots. */
const ASK_EVERY_MS = 5_000

/** Steps between power states: each may be repeated, and does nothing where there is nothing to do. */
export class Power {
  constructor(
    private readonly virsh: Virsh,
    private readonly domains: Domains,
  ) {}

  async run(id: string, signal: AbortSignal): Promise<void> {
    const state = await this.domains.state(id, { signal })
    if (state?.phase === 'running') return
    if (state?.phase === 'paused') return this.call(['resume', domainName(id)], signal)
    if (state?.phase === 'crashed') await this.destroy(id, signal)
    await this.call(['start', domainName(id)], signal, START_MS)
  }

  async pause(id: string, signal: AbortSignal): Promise<void> {
    const state = await this.domains.state(id, { signal })
    if (state?.phase === 'paused') return
    if (state?.phase === 'running') return this.call(['suspend', domainName(id)], signal)
    if (state?.phase === 'crashed') await this.destroy(id, signal)
    await this.call(['start', '--paused', domainName(id)], signal, START_MS)
  }

  /** Asks the guest, and forces it after the grace. @returns whether it had to be forced */
  async stop({ id, stopGraceMs }: GuestIntent, signal: AbortSignal): Promise<boolean> {
    const state = await this.domains.state(id, { signal })
    if (state === null || state.phase === 'off') return false
    if (state.phase === 'running' && (await this.goesByItself(id, stopGraceMs, signal))) return false
    await this.destroy(id, signal)
    return true
  }

  async destroy(id: string, signal: AbortSignal): Promise<void> {
    await this.virsh
      .call(['destroy', domainName(id)], { signal, deadlineMs: DESTROY_MS })
      .catch(unless((words) => isAbsent(words) || isStopped(words)))
  }

  private async goesByItself(id: string, graceMs: number, signal: AbortSignal): Promise<boolean> {
    const untilMs = performance.now() + graceMs
    let askedAtMs = Number.NEGATIVE_INFINITY
    while (performance.now() < untilMs) {
      if (signal.aborted) throw new FaultError('expired', 'there was no time left to wait for the guest to stop')
      if (performance.now() - askedAtMs >= ASK_EVERY_MS) {
        askedAtMs = performance.now()
        await this.ask(id, signal)
      }
      const state = await this.domains.state(id, { signal })
      if (state === null || state.phase === 'off') return true
      if (state.phase === 'crashed') return false
      await delay(LOOK_EVERY_MS)
    }
    return false
  }

  /** By its agent where that listens, and else by the button, which not every guest hears. */
  private async ask(id: string, signal: AbortSignal): Promise<void> {
    const xml = await this.domains.xml(id, 'live', { signal })
    const mode = xml !== null && isPortOpen(xml) ? 'agent' : 'acpi'
    // what came of it shows in the state
    await this.virsh.call(['shutdown', domainName(id), '--mode', mode], { signal }).catch(unless(() => true))
  }

  private async call(args: readonly string[], signal: AbortSignal, deadlineMs?: number): Promise<void> {
    await this.virsh.call(args, { signal, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
    this.domains.forget()
  }
}

export const unless =
  (isFine: (words: string) => boolean) =>
  (error: unknown): void => {
    if (!(error instanceof VirshError) || !isFine(error.words)) throw error
  }
