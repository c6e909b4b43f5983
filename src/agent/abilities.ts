import { hypervisorCapability } from '../wire/guests/terms.js'
import type { Fault, Lack } from '../wire/session.js'
import { kindsOf, storageCapability } from '../wire/storage/kinds.js'
import { type StorageScheme, storageSchemes } from '../wire/storage/uri.js'
import { clipped } from '../wire/text.js'
import { deviceCapability } from './balancing/devices.js'
import type { HypervisorDriver } from './guests/driver.js'
import type { HostDrivers } from './host-keepers.js'
import type { Logger } from './logger.js'
import type { StorageDriver } from './storage/driver.js'

const LOOK_EVERY_MS = 60_000
const MAX_WORDS_CHARS = 255

export interface Abilities {
  readonly capabilities: string[]
  readonly lacks: Lack[]
}

/**
 * The storage that nothing on this host stands in the way of, by scheme and kind, what makes load balancers and runs guests, and
 * what does stand in the way of the rest.
 */
export async function abilitiesOf({ storage, balancing, hypervisor }: HostDrivers): Promise<Abilities> {
  const all = (
    await Promise.all([
      ...storageSchemes.map((scheme) => looksAt(scheme, storage[scheme])),
      ...(hypervisor === null ? [] : [looksAtHypervisor(hypervisor)]),
      ...balancing.devices.map(
        async (device): Promise<Look[]> => [
          { capability: deviceCapability(device), obstacle: await device.driver.obstacle() },
        ],
      ),
    ])
  ).flat()
  return {
    capabilities: all.filter(({ obstacle }) => obstacle === null).map(({ capability }) => capability),
    lacks: all.flatMap(({ capability, obstacle }) =>
      obstacle === null ? [] : [{ capability, message: clipped(obstacle.message, MAX_WORDS_CHARS) }],
    ),
  }
}

interface Look {
  readonly capability: string
  readonly obstacle: Fault | null
}

async function looksAt(scheme: StorageScheme, driver: Pick<StorageDriver, 'obstacle'>): Promise<Look[]> {
  const look = async (kind: string | null): Promise<Look> => ({
    capability: storageCapability(scheme, kind),
    obstacle: await driver.obstacle(kind),
  })
  const whole = await look(null)
  // what stands in the way of all kinds is said once
  if (whole.obstacle !== null) return [whole]
  return [whole, ...(await Promise.all((kindsOf[scheme] ?? []).map(look)))]
}

async function looksAtHypervisor(driver: HypervisorDriver): Promise<Look[]> {
  const { hypervisor } = driver
  const obstacle = await driver.obstacle()
  const whole = { capability: hypervisorCapability(hypervisor), obstacle }
  if (obstacle !== null) return [whole]
  return [
    whole,
    ...(driver.kinds ?? []).map((kind) => ({ capability: hypervisorCapability(hypervisor, kind), obstacle: null })),
  ]
}

export interface AbilityWatchOptions {
  readonly drivers: HostDrivers
  readonly logger: Logger
  /** They are told in a hello: of the next session. */
  readonly onChanged: () => void
  readonly everyMs?: number
}

/** What a host can do changes while its agent runs: a package is installed, a module goes. */
export class AbilityWatch {
  private timer: NodeJS.Timeout | null = null
  private stopped = false

  constructor(
    public now: Abilities,
    private readonly options: AbilityWatchOptions,
  ) {}

  start(): void {
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), this.options.everyMs ?? LOOK_EVERY_MS).unref()
  }

  stop(): void {
    this.stopped = true
    if (this.timer) clearTimeout(this.timer)
  }

  private async look(): Promise<void> {
    const { drivers, logger, onChanged } = this.options
    try {
      const next = await abilitiesOf(drivers)
      const changed = next.capabilities.join() !== this.now.capabilities.join()
      this.now = next
      if (changed && !this.stopped) {
        logger.info(
          { capabilities: next.capabilities },
          'this host can do something else than before: telling the plane',
        )
        onChanged()
      }
    } catch (error) {
      logger.warn({ err: error }, 'what this host can do could not be looked at')
    }
    this.start()
  }
}
