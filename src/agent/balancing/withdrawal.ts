import { FaultError, faultOf } from '../fault.js'
import { nothingSeen, type Seen } from './held.js'

export const vipWithdrawn: Seen = {
  ...nothingSeen,
  status: 'OFFLINE',
  fault: faultOf(
    new FaultError(
      'balancing.vip-withdrawn',
      'this host was without a session for too long: its VIP waits for the plane',
    ),
  ),
}

export const withoutSession = () =>
  new FaultError(
    'balancing.vip-withdrawn',
    'this host was without a session for too long, and takes no VIP up before the next',
  )

/** A VIP that is down since its host was without a session, until the plane has said that it is still this host's. */
export class Withdrawal {
  /** Nobody is answered: it need not be taken down again. */
  isDown = false
  private begun = false
  private count = 0
  private saidAgainAt = -1

  get isOn(): boolean {
    return this.begun
  }

  /** Nothing has been said of it since. */
  get holds(): boolean {
    return this.begun && this.saidAgainAt !== this.count
  }

  begin(): void {
    this.begun = true
    this.count += 1
    this.isDown = false
  }

  /** The plane says that it is this host's: whatever comes of what it says beside. */
  sayAgain(): void {
    this.saidAgainAt = this.count
  }

  /** @returns what ends it, when the VIP is up: false where it was taken down meanwhile */
  endingBy(): () => boolean {
    const { count } = this
    return () => {
      if (this.count !== count) return false
      this.begun = false
      return true
    }
  }
}
