import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from '../../agent/host/write-file.js'
import type { Logger } from '../../agent/logger.js'
import type { Options } from './monitor.js'

/** Which monitors run, so that any call works after a restart (B6). */
export class MonitorsFile {
  private readonly path: string
  private turn: Promise<unknown> = Promise.resolve()

  constructor(
    stateDir: string,
    private readonly logger: Logger,
  ) {
    this.path = join(stateDir, 'monitors.json')
  }

  /** What cannot be read is as if nothing ran: HA agents start their monitors again, and are told of none meanwhile. */
  async read(): Promise<ReadonlyMap<string, Options>> {
    try {
      const kept: unknown = JSON.parse(await readFile(this.path, 'utf8'))
      if (typeof kept !== 'object' || kept === null) throw new Error('it holds no object')
      return new Map(Object.entries(kept as Record<string, Options>))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.logger.error({ err: error, path: this.path }, 'which monitors ran cannot be read')
      return new Map()
    }
  }

  /** One writer at a time. */
  write(running: () => ReadonlyMap<string, Options>): Promise<void> {
    const mine = this.turn.then(() => writeFileAtomically(this.path, JSON.stringify(Object.fromEntries(running()))))
    this.turn = mine.catch(() => undefined)
    return mine
  }
}
