import type { WantedBalancer } from '../../agent/balancing/driver.js'
import { FaultError } from '../../agent/fault.js'
import { deviceRefusal } from './refusal.js'

/** What a simulated device has: kept over the end of the agent's process, lost with a boot of the host. */
export class SimulatedDevice {
  private readonly balancers = new Map<string, WantedBalancer>()
  private readonly vips = new Set<string>()

  get ids(): readonly string[] {
    return [...this.balancers.keys()]
  }

  get(id: string): WantedBalancer | undefined {
    return this.balancers.get(id)
  }

  /** Its VIP answers. */
  isUp(id: string): boolean {
    return this.vips.has(id)
  }

  /** Why this device would not take it; null: it would. */
  refusal(wanted: WantedBalancer): string | null {
    const others = [...this.balancers.values()].filter(({ balancer }) => balancer.id !== wanted.balancer.id)
    return deviceRefusal(
      wanted,
      others.map(({ balancer }) => balancer),
    )
  }

  /** @throws FaultError, and leaves what is in force as it was */
  take(wanted: WantedBalancer): void {
    const words = this.refusal(wanted)
    if (words !== null) throw new FaultError('balancing.refused', words)
    const { id } = wanted.balancer
    this.balancers.set(id, wanted)
    this.vips.add(id)
  }

  drop(id: string): void {
    this.balancers.delete(id)
    this.vips.delete(id)
  }

  takeDown(id: string): void {
    this.vips.delete(id)
  }

  /** As a boot does. */
  clear(): void {
    this.balancers.clear()
    this.vips.clear()
  }
}
