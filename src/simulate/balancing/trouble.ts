import { setTimeout as delay } from 'node:timers/promises'
import { FaultError } from '../../agent/fault.js'
import type { CommandKind } from '../../wire/commands.js'
import type { HostFaults } from '../host-faults.js'

/** How a device can let its agent down, by scenario. An effect that throws is the device's no. */
export async function troubled(
  faults: HostFaults,
  kind: CommandKind,
  signal: AbortSignal,
  effect: () => void,
): Promise<void> {
  const trouble = faults.strike('device', kind)
  switch (trouble?.how) {
    case 'fails':
      throw new FaultError('balancing.refused', trouble.message)
    case 'hangs':
      return unanswered(signal)
    case 'late':
      // deaf to whoever does not want to wait
      await delay(trouble.delayMs, undefined, { ref: false })
      return effect()
    case 'loses-answer':
      effect()
      return unanswered(signal)
    case undefined:
      return effect()
  }
}

function unanswered(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const giveUp = () => reject(new FaultError('balancing.no-answer', 'the device does not answer'))
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
}
