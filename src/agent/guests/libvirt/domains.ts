import { domainName, guestOfDomain, powerIn } from './domain-xml.js'
import { isAbsent } from './faults.js'
import { type CallOptions, type Virsh, VirshError } from './virsh.js'
import { unescaped } from './xml.js'

/** virDomainState, and reasons of its SHUTOFF. */
export const RUNNING = 1
const BLOCKED = 2
const PAUSED = 3
const SHUTDOWN = 4
const SHUTOFF = 5
const CRASHED = 6
const BY_GUEST = 1

export type DomainPhase = 'running' | 'paused' | 'off' | 'crashed'

export interface DomainState {
  readonly phase: DomainPhase
  /** The guest itself has ended it, or is about to. */
  readonly byGuest: boolean
}

const phases: Readonly<Record<number, DomainPhase>> = {
  [RUNNING]: 'running',
  [BLOCKED]: 'running',
  [SHUTDOWN]: 'running',
  [PAUSED]: 'paused',
  [SHUTOFF]: 'off',
  [CRASHED]: 'crashed',
}

/** How long one answer about all domains serves. */
const FRESH_MS = 150

/** The domains of ours that libvirt has. One answer serves all who ask at once. */
export class Domains {
  private asked: { readonly atMs: number; readonly states: Promise<Map<string, DomainState>> } | null = null

  constructor(private readonly virsh: Virsh) {}

  /** What was heard of may not be so any more. */
  forget(): void {
    this.asked = null
  }

  /** By the guest's id; null: there is none. */
  async state(guestId: string, options?: CallOptions): Promise<DomainState | null> {
    const args = ['domstats', '--state', domainName(guestId)]
    const text = await this.virsh.call(args, options).catch(unlessAbsent)
    return text === null ? null : (statesIn(text).get(guestId) ?? null)
  }

  /** The same of an answer that may be that old. */
  async glance(guestId: string): Promise<DomainState | null> {
    return (await this.all()).get(guestId) ?? null
  }

  all(): Promise<Map<string, DomainState>> {
    const now = performance.now()
    if (this.asked === null || now - this.asked.atMs > FRESH_MS) {
      const states = this.virsh.call(['domstats', '--state']).then(statesIn)
      this.asked = { atMs: now, states }
    }
    return this.asked.states
  }

  /** What it runs with, or is defined as; null: there is none. */
  async xml(guestId: string, which: 'live' | 'defined', options?: CallOptions): Promise<string | null> {
    const flags = which === 'defined' ? ['--inactive'] : []
    return this.virsh.call(['dumpxml', ...flags, domainName(guestId)], options).catch(unlessAbsent)
  }
}

export function statesIn(text: string): Map<string, DomainState> {
  const states = new Map<string, DomainState>()
  for (const part of text.split(/^Domain: /m).slice(1)) {
    const id = guestOfDomain(/^'(.*)'/.exec(part)?.[1] ?? '')
    const number = (key: string) => Number(new RegExp(`state\\.${key}=(\\d+)`).exec(part)?.[1])
    const phase = phases[number('state')]
    const byGuest = number('state') === SHUTDOWN || (phase === 'off' && number('reason') === BY_GUEST)
    if (id !== null && phase !== undefined) states.set(id, { phase, byGuest })
  }
  return states
}

function unlessAbsent(error: unknown): null {
  if (error instanceof VirshError && isAbsent(error.words)) return null
  throw error
}

/** Whether the agent in the guest has its port open now, in the XML of a domain that runs. */
export const isPortOpen = (xml: string): boolean =>
  /<target type='virtio' name='org\.qemu\.guest_agent\.0' state='connected'/.test(xml)

export const wantsToRun = (definition: string): boolean => powerIn(definition) !== 'STOPPED'

/** In what dumpxml prints: a domain that runs has a number. */
export const isLive = (xml: string): boolean => /^<domain [^>]*\bid='\d+'/m.test(xml)

/** Files of its disks, by the target's name. */
export function disksIn(xml: string): Map<string, string> {
  const disks = new Map<string, string>()
  for (const [, disk] of xml.matchAll(/<disk type='file' device='disk'>([\s\S]*?)<\/disk>/g)) {
    const path = /<source file='([^']*)'/.exec(disk!)?.[1]
    const target = /<target dev='(\w+)'/.exec(disk!)?.[1]
    if (path !== undefined && target !== undefined) disks.set(target, unescaped(path))
  }
  return disks
}
