import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Turns } from '../../turns.js'
import { domainName } from './domain-xml.js'
import { type Domains, isLive } from './domains.js'
import type { CallOptions, Virsh } from './virsh.js'

const URI = 'urn:keelson:boot'
/** How long an event of a reset may be on its way when that was found out in another manner. */
const ON_ITS_WAY_MS = 2_000

/** One boot of a guest, as the domain itself remembers it while it runs. */
export interface Boot {
  readonly id: string
  /** The kernel's own id in the guest; null: it has not been asked for. */
  readonly kernelId: string | null
  /** The agent in the guest has had its port open in it. */
  readonly opened: boolean
}

/**
 * Which boot a guest is in. Each start of the machine and each reset begins another one. A start shows by itself: libvirt keeps the
 * record with the running domain, over restarts of its own and of the agent, and lets go of it with the machine. A reset is
 * told by an event, which may be missed; so each pong carries the kernel's own id, and one of another kernel begins another boot:
 * no two boots have pongs of one id.
 */
export class Boots {
  /** Resets that were acted on before their event has come. */
  private readonly ahead = new Map<string, number>()
  /** A record is read and written by one at a time. */
  private readonly turns = new Turns()

  constructor(
    private readonly virsh: Virsh,
    private readonly domains: Domains,
  ) {}

  /** Null: it is in none. */
  current(guestId: string, options?: CallOptions): Promise<Boot | null> {
    return this.changed(guestId, (boot) => boot, options)
  }

  /** It was just reset. An event of libvirt's will say so too. */
  async reset(guestId: string, options?: CallOptions): Promise<void> {
    this.ahead.set(guestId, performance.now())
    await this.changed(guestId, () => newBoot(), options)
  }

  /** libvirt tells of each reset several times: an id that no pong has carried serves the next boot as well. */
  async resetSeen(guestId: string): Promise<void> {
    const aheadAtMs = this.ahead.get(guestId) ?? Number.NEGATIVE_INFINITY
    if (performance.now() - aheadAtMs < ON_ITS_WAY_MS) return
    await this.changed(guestId, (boot) => (boot.kernelId !== null || boot.opened ? newBoot() : boot))
  }

  /** The kernel that answers now. @returns the boot that it is of; null: the machine has ended */
  answered(guestId: string, kernelId: string, options?: CallOptions): Promise<Boot | null> {
    const next = (boot: Boot): Boot => {
      if (boot.kernelId === null || boot.kernelId === kernelId) return { ...boot, kernelId, opened: true }
      this.ahead.set(guestId, performance.now())
      return { ...newBoot(), kernelId, opened: true }
    }
    return this.changed(guestId, next, options)
  }

  opened(guestId: string): Promise<Boot | null> {
    return this.changed(guestId, (boot) => ({ ...boot, opened: true }))
  }

  private changed(guestId: string, next: (boot: Boot) => Boot, options?: CallOptions): Promise<Boot | null> {
    return this.turns.take(guestId, async () => {
      const xml = await this.domains.xml(guestId, 'live', options)
      if (xml === null || !isLive(xml)) return null
      const was = bootIn(xml)
      const boot = next(was ?? newBoot())
      if (!isDeepStrictEqual(was, boot)) await this.keep(guestId, boot, options)
      return boot
    })
  }

  private async keep(guestId: string, { id, kernelId, opened }: Boot, options?: CallOptions): Promise<void> {
    const element = `<boot id='${id}' kernel='${kernelId ?? ''}' opened='${opened ? 'yes' : 'no'}'/>`
    const args = ['metadata', domainName(guestId), URI, '--live', '--key', 'keelson', '--set', element]
    await this.virsh.call(args, options)
  }
}

const newBoot = (): Boot => ({ id: randomUUID(), kernelId: null, opened: false })

export function bootIn(xml: string): Boot | null {
  const element = /<keelson:boot xmlns:keelson=["']urn:keelson:boot["'] ([^>]*?)\/?>/.exec(xml)?.[1]
  if (element === undefined) return null
  const value = (key: string) => new RegExp(`${key}=["']([^"']*)["']`).exec(element)?.[1] ?? ''
  return { id: value('id'), kernelId: value('kernel') || null, opened: value('opened') === 'yes' }
}
