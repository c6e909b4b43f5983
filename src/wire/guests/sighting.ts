import type { AgentPort } from './terms.js'

/** The `detail` of a guest's observation, whose status is a `GuestStatus`; in the inventory too. */
export interface GuestDetail {
  /** Of the boot that it is in; null: in none. */
  readonly bootId: string | null
  readonly agentPort: AgentPort
  /** Starts that its restart policy has made since it was asked to run. */
  readonly restarts: number
  /** The end of its serial console, of a guest that has CRASHED: at most 4,000 characters. */
  readonly consoleTail?: string
}
