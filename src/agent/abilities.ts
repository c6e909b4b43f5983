import type { Lack } from '../wire/session.js'
import { clipped } from '../wire/text.js'
import type { Logger } from './logger.js'
import type { StorageDrivers } from './storage/driver.js'

const LOOK_EVERY_MS = 60_000
const MAX_WORDS_CHARS = 255

export interface Abilities {
  readonly capabilities: string[]
  readonly lacks: Lack[]
}

/** `storage:<scheme>` where nothing on this host stands in the way of the driver, and what does where it does. */
export async function abilitiesOf(drivers: StorageDrivers): Promise<Abilities> {
  const all = await Promise.all(
    Object.entries(drivers).map(async ([scheme, driver]) => ({
      capability: `storage:${scheme}`,
      obstacle: await driver.obstacle(),
    })),
  )
  return {
    capabilities: all.filter(({ obstacle }) => obstacle === null).map(({ capability }) => capability),
    lacks: all.flatMap(({ capability, obstacle }) =>
      obstacle === null ? [] : [{ capability, message: clipped(obstacle.message, MAX_WORDS_CHARS) }],
    ),
  }
}

export interface AbilityWatchOptions {
  readonly drivers: StorageDrivers
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
