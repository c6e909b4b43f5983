import type { Logger } from '../logger.js'
import type { LeavingTarget } from './held.js'
import type { KernelConnection } from './kernel.js'
import { boundedSightings, type Recognised, type Sighting, unmanagedAmong, withLeaving } from './sightings.js'

export interface LookoutOptions {
  readonly look: () => Promise<readonly KernelConnection[]>
  readonly recognise: (connection: KernelConnection) => Recognised | null
  /** What no id holds any more. */
  readonly leaving: () => readonly LeavingTarget[]
  readonly everyMs: () => number
  readonly onChange: () => void
  readonly logger: Logger
}

/** A look reads the kernel's tables, which answer at once; nobody waits longer for them all the same. */
const LOOK_MS = 2000

/** Looks again and again at what the kernel has connected and no id holds. */
export class Lookout {
  private sighted: readonly Sighting[] = []
  private more = 0
  private looking: Promise<void> | null = null
  private timer: NodeJS.Timeout | null = null
  private stopped = false

  constructor(private readonly options: LookoutOptions) {}

  /** As the last look had it. */
  get seen(): readonly Sighting[] {
    return this.sighted
  }

  /** How many more there were. */
  get untold(): number {
    return this.more
  }

  start(): void {
    void this.fresh()
  }

  stop(): void {
    this.stopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  /** As it is now; who asks while a look is under way shares it. */
  async fresh(): Promise<readonly Sighting[]> {
    this.looking ??= this.lookNow().finally(() => {
      this.looking = null
      this.lookLater()
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOK_MS).unref()
    })
    await Promise.race([this.looking, late])
    clearTimeout(timer)
    return this.sighted
  }

  private lookLater(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    if (!this.stopped) this.timer = setTimeout(() => void this.fresh(), this.options.everyMs()).unref()
  }

  private async lookNow(): Promise<void> {
    const { look, recognise, leaving, onChange, logger } = this.options
    try {
      const { told, untold } = boundedSightings(withLeaving(unmanagedAmong(await look(), recognise), leaving()))
      const changed = untold !== this.more || JSON.stringify(told) !== JSON.stringify(this.sighted)
      if (untold > 0 && this.more === 0)
        logger.warn({ told: told.length, untold }, 'there are more unmanaged storage connections than are told of')
      if (untold === 0 && this.more > 0)
        logger.info({ told: told.length }, 'all unmanaged storage connections are told of again')
      this.sighted = told
      this.more = untold
      if (changed) onChange()
    } catch (error) {
      logger.warn(
        { err: error },
        'the kernel’s tables could not be read: unmanaged storage connections stay as they were seen',
      )
    }
  }
}
