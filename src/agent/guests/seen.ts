import type { GuestDetail } from '../../wire/guests/sighting.js'
import type { GuestSight } from './driver.js'

export interface Seen extends GuestSight {
  readonly restarts: number
}

export const nothingSeen: Seen = { status: 'UNKNOWN', bootId: null, agentPort: 'NEVER', fault: null, restarts: 0 }

export const detailOf = ({ bootId, agentPort, restarts }: Seen): GuestDetail => ({ bootId, agentPort, restarts })
