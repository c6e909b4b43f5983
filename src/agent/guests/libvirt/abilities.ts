import { readFile } from 'node:fs/promises'
import { machine } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Fault } from '../../../wire/session.js'
import { faultOf, makeFault } from '../../fault.js'
import { readBootId } from '../../host/facts.js'
import { missingOf } from '../../host/needs.js'
import type { Run } from '../../host/run.js'
import { writeFileAtomically } from '../../host/write-file.js'
import { Turns } from '../../turns.js'
import type { Acceleration } from './domain-xml.js'
import { layerFault } from './faults.js'
import type { Homes } from './homes.js'
import { probe } from './probe.js'
import type { Virsh } from './virsh.js'

const ASK_MS = 5_000
/** An agent that starts does not wait for a machine that hangs: what comes of it is told later. */
const PATIENCE_MS = 10_000
const PROBING = 'whether a machine starts is being tried'
const needs = {
  programs: {
    virsh: 'libvirt-clients',
    'qemu-img': 'qemu-utils',
    'qemu-system-x86_64': 'qemu-system-x86',
    xorriso: 'xorriso',
    curl: 'curl',
  },
}

export interface AbilityParts {
  readonly run: Run
  readonly virsh: Virsh
  readonly homes: Homes
}

/** Whether guests can run here, and how their processors are made: found by running one, once in each boot of the host. */
export class HostAbility {
  private found: Acceleration | null = null
  private readonly turns = new Turns()

  constructor(private readonly parts: AbilityParts) {}

  /** Null: it is not known yet, or nothing works. */
  get acceleration(): Acceleration | null {
    return this.found
  }

  async obstacle(): Promise<Fault | null> {
    const fault = (words: string) => makeFault('unsupported', words)
    if (machine() !== 'x86_64') return fault(`guests are x86-64, and this host is ${machine()}`)
    const missing = await missingOf(needs, this.parts.run)
    if (missing !== null) return fault(missing)
    try {
      await this.parts.virsh.call(['version'], { deadlineMs: ASK_MS })
    } catch (error) {
      return fault(`libvirt does not answer: ${faultOf(error).message}`)
    }
    const found = this.turns.take('probe', () => this.find())
    const why = await Promise.race([found, delay(PATIENCE_MS, PROBING, { ref: false })])
    return why === null ? null : fault(`no guest can be started: ${why}`)
  }

  /** @throws FaultError where nothing works */
  async require(): Promise<Acceleration> {
    const why = await this.turns.take('probe', () => this.find())
    if (this.found === null) throw layerFault('vm-not-started', `no guest can be started: ${why}`)
    return this.found
  }

  private async find(): Promise<string | null> {
    if (this.found !== null) return null
    const { virsh, homes } = this.parts
    const bootId = await readBootId()
    this.found = await this.remembered(bootId)
    if (this.found !== null) return null
    let why = ''
    for (const acceleration of ['kvm', 'tcg'] as const) {
      const words = await probe(virsh, homes, acceleration)
      if (words === null) {
        this.found = acceleration
        await writeFileAtomically(this.file, JSON.stringify({ bootId, acceleration, uri: virsh.uri }))
        return null
      }
      why = words
    }
    return why
  }

  private get file(): string {
    return join(this.parts.homes.root, 'probed.json')
  }

  private async remembered(bootId: string): Promise<Acceleration | null> {
    const text = await readFile(this.file, 'utf8').catch(() => '{}')
    // written by `find`
    const stored = JSON.parse(text) as { bootId?: string; acceleration?: Acceleration; uri?: string }
    return stored.bootId === bootId && stored.uri === this.parts.virsh.uri ? (stored.acceleration ?? null) : null
  }
}
