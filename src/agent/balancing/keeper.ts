import { setTimeout as delay } from 'node:timers/promises'
import type {
  BalancingApplied,
  BalancingApply,
  BalancingCheck,
  BalancingChecked,
  BalancingRemove,
  BalancingRemoved,
} from '../../wire/balancing/commands.js'
import { FaultError } from '../fault.js'
import type { HandlerContext } from '../handlers.js'
import { type BalancingDevice, requireDriver } from './devices.js'
import type { Progress } from './driver.js'

export interface BalancerKeeperOptions {
  readonly devices: readonly BalancingDevice[]
}

const ASK_EVERY_MS = 50

/** Has the drivers make of each balancer what the plane wants. */
export class BalancerKeeper {
  constructor(private readonly options: BalancerKeeperOptions) {}

  async apply(
    { provider, device, balancer, keys = {} }: BalancingApply,
    { generation, signal }: Pick<HandlerContext, 'generation' | 'signal'>,
  ): Promise<BalancingApplied> {
    const driver = requireDriver(this.options.devices, provider, device.name)
    const progress = await driver.apply({ generation, balancer, keys: keys as Record<string, string> }, signal)
    await followed(progress, () => driver.progress(balancer.id), signal)
    return {}
  }

  async remove(
    { provider, device, loadBalancerId }: BalancingRemove,
    { signal }: Pick<HandlerContext, 'signal'>,
  ): Promise<BalancingRemoved> {
    const driver = requireDriver(this.options.devices, provider, device.name)
    const there = (await driver.list()).includes(loadBalancerId)
    await followed(await driver.remove(loadBalancerId, signal), () => driver.progress(loadBalancerId), signal)
    return { outcome: there ? 'removed' : 'absent' }
  }

  check(
    { provider, device, balancer, keys = {} }: BalancingCheck,
    { generation }: Pick<HandlerContext, 'generation'>,
  ): Promise<BalancingChecked> {
    const driver = requireDriver(this.options.devices, provider, device.name)
    return driver.check({ generation, balancer, keys: keys as Record<string, string> })
  }
}

/** What a device goes on with by itself is waited for: the plane cannot tell one kind of driver from the other. */
async function followed(first: Progress, ask: () => Promise<Progress>, signal: AbortSignal): Promise<void> {
  for (let progress = first; progress === 'PENDING'; progress = await ask()) {
    if (signal.aborted) throw new FaultError('deadline', 'the device was not done with it in time')
    await delay(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
}
