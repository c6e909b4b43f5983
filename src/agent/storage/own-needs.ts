import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import type { StorageOptions } from '../../wire/storage/arguments.js'

/** What an id sees of its target where that is not what all see. */
export interface OwnView {
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
  /** ISO 8601. */
  readonly faultAt: string | null
}

const notLookedYet: OwnView = { status: 'CONNECTING', fault: null, faultAt: null }

/** What single ids ask of a target that is connected for all of them, and which of them do not have it. */
export class OwnNeeds {
  private readonly needs = new Map<string, StorageOptions>()
  private readonly views = new Map<string, OwnView>()

  get all(): readonly StorageOptions[] {
    return [...this.needs.values()]
  }

  viewOf(id: string): OwnView | null {
    return this.views.get(id) ?? null
  }

  /** @returns whether it is to be looked at */
  ask(id: string, own: StorageOptions): boolean {
    this.drop(id)
    if (Object.keys(own).length === 0) return false
    this.needs.set(id, own)
    this.views.set(id, notLookedYet)
    return true
  }

  drop(id: string): void {
    this.needs.delete(id)
    this.views.delete(id)
  }

  /** @returns whether any id sees something else than before */
  judge(lacks: (own: StorageOptions) => Fault | null): boolean {
    let changed = false
    for (const [id, own] of this.needs) {
      const before = this.views.get(id)
      const fault = lacks(own)
      if (fault === null) changed = this.views.delete(id) || changed
      else if (before?.fault?.message !== fault.message || before.fault.type !== fault.type) {
        this.views.set(id, { status: 'DOWN', fault, faultAt: new Date().toISOString() })
        changed = true
      }
    }
    return changed
  }
}
