import { makeFault } from '../../fault.js'
import type { GuestSight } from '../driver.js'
import { type Boot, type Boots, bootIn } from './boots.js'
import { panicOn } from './console.js'
import { type Domains, isPortOpen, wantsToRun } from './domains.js'
import type { Homes } from './homes.js'
import type { Machines } from './machines.js'

/** How long what libvirt has said serves, while its events say when it is otherwise; and while nothing does. */
const WATCHED_MS = 10_000
const UNWATCHED_MS = 500

const unseen = { bootId: null, agentPort: 'NEVER', fault: null } as const

interface Kept {
  readonly xml: string | null
  readonly phase: string
  readonly atMs: number
}

/** Looks at guests, often: the state of all is one question, and the rest is kept until an event says otherwise. */
export class Sights {
  private readonly kept = new Map<string, Kept>()
  isWatched = false

  constructor(
    private readonly domains: Domains,
    private readonly boots: Boots,
    private readonly homes: Homes,
    private readonly machines: Machines,
  ) {}

  forget(guestId: string): void {
    this.kept.delete(guestId)
    this.domains.forget()
  }

  forgetAll(): void {
    this.kept.clear()
    this.domains.forget()
  }

  /** Null: there is none. */
  async see(guestId: string): Promise<GuestSight | null> {
    const state = await this.domains.glance(guestId)
    if (state === null) return null
    const xml = await this.xml(guestId, state.phase)
    if (state.phase === 'off') {
      this.machines.forget(guestId)
      const isAsked = state.byGuest || xml === null || !wantsToRun(xml)
      return { ...unseen, status: isAsked ? 'STOPPED' : 'CRASHED' }
    }
    // libvirt clears up before it says so; what has ended by itself is told apart then
    if (await this.machines.hasEnded(guestId)) return { ...unseen, status: state.byGuest ? 'STOPPED' : 'CRASHED' }
    const panic = await panicOn(this.homes.console(guestId))
    const boot = xml === null ? null : await this.bootOf(guestId, xml)
    const isOpen = xml !== null && isPortOpen(xml)
    const agentPort = isOpen ? 'OPEN' : boot?.opened ? 'CLOSED' : 'NEVER'
    const bootId = boot?.id ?? null
    if (panic !== null) return { status: 'CRASHED', bootId, agentPort, fault: makeFault('kernel-panic', panic) }
    const status = { running: 'RUNNING', paused: 'PAUSED', crashed: 'CRASHED' } as const
    return { status: status[state.phase], bootId, agentPort, fault: null }
  }

  private async bootOf(guestId: string, xml: string): Promise<Boot | null> {
    const boot = bootIn(xml)
    if (boot !== null && (boot.opened || !isPortOpen(xml))) return boot
    this.kept.delete(guestId)
    return isPortOpen(xml) ? this.boots.opened(guestId) : this.boots.current(guestId)
  }

  private async xml(guestId: string, phase: string): Promise<string | null> {
    const kept = this.kept.get(guestId)
    const now = performance.now()
    const servesMs = this.isWatched ? WATCHED_MS : UNWATCHED_MS
    if (kept !== undefined && kept.phase === phase && now - kept.atMs < servesMs) return kept.xml
    const xml = await this.domains.xml(guestId, phase === 'off' ? 'defined' : 'live')
    this.kept.set(guestId, { xml, phase, atMs: now })
    return xml
  }
}
