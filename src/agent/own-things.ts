import type { InventoryItem, Observation } from '../wire/session.js'
import type { ObservationOutbox } from './observations.js'
import type { CurrentSession } from './session.js'

export interface OwnThingsOptions {
  /** All that this host has of itself, as it is now. */
  readonly list: () => readonly InventoryItem[]
  readonly outbox: ObservationOutbox
  readonly current: CurrentSession
}

/**
 * Tells the plane what this host has of itself: all of it with the inventory of each session, and after that what becomes
 * different. Nothing is kept for a plane that is away, however much comes and goes meanwhile.
 */
export class OwnThings {
  private told = new Map<string, string>()
  private comparing = false
  private readonly stopListening: () => void

  constructor(private readonly options: OwnThingsOptions) {
    this.stopListening = options.current.onChange((session) => {
      if (session !== null) this.changed()
    })
  }

  /** For the session that is being opened: what was still to be said before is in it, or has become untrue. */
  inventory(): readonly InventoryItem[] {
    const items = this.options.list()
    for (const subject of this.told.keys()) this.options.outbox.drop(subject)
    this.told = new Map(items.map((item) => [item.subject, JSON.stringify(item)]))
    return items
  }

  /** What changes together travels together. */
  changed(): void {
    if (this.comparing) return
    this.comparing = true
    setImmediate(() => {
      this.comparing = false
      if (this.options.current.session !== null) this.tell()
    })
  }

  stop(): void {
    this.stopListening()
  }

  private tell(): void {
    const { list, outbox } = this.options
    const now = new Map(list().map((item) => [item.subject, item]))
    for (const subject of this.told.keys()) {
      if (!now.has(subject)) outbox.put(subject, { subject, generation: 0, status: 'UNKNOWN', gone: true })
    }
    for (const item of now.values()) {
      if (this.told.get(item.subject) !== JSON.stringify(item)) outbox.put(item.subject, observationOf(item))
    }
    this.told = new Map([...now].map(([subject, item]) => [subject, JSON.stringify(item)]))
  }
}

const observationOf = ({ subject, generation, status, fault, detail }: InventoryItem): Observation => ({
  subject,
  generation,
  status,
  fault,
  detail,
})
