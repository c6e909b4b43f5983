import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeFileAtomically } from '../../../host/write-file.js'
import type { VipPlace } from '../../../networks/vip-place.js'
import { CERTIFICATES } from './certificates.js'
import { noTotals, type Totals } from './totals.js'

export const CONFIG = 'haproxy.cfg'
const CANDIDATE = 'haproxy.cfg.candidate'
const STATES = 'states'
const IN_FORCE = 'in-force'
const PLACE = 'place.json'
const TOTALS = 'totals.json'
const HOST_PLACE: VipPlace = { namespace: null, enter: [] }

/** The directory of one balancer: all that there is of it on disk. Its configuration is what its process starts with. */
export class Home {
  constructor(readonly directory: string) {}

  /** What the configuration names is there before it, under names of its own; nothing in force is touched. */
  async prepare(config: string, files: ReadonlyMap<string, string>): Promise<void> {
    await mkdir(join(this.directory, CERTIFICATES), { recursive: true, mode: 0o700 })
    for (const [name, content] of files) {
      const path = join(this.directory, name)
      if ((await read(path)) !== content) await writeFileAtomically(path, content, 0o600)
    }
    await writeFileAtomically(join(this.directory, CANDIDATE), config, 0o600)
  }

  get candidate(): string {
    return CANDIDATE
  }

  async commit(): Promise<void> {
    await rename(join(this.directory, CANDIDATE), join(this.directory, CONFIG))
    await syncDirectory(this.directory)
  }

  readConfig(): Promise<string | null> {
    return read(join(this.directory, CONFIG))
  }

  /** What was in force before a candidate that came to nothing. */
  restoreConfig(config: string): Promise<void> {
    return writeFileAtomically(join(this.directory, CONFIG), config, 0o600)
  }

  writeStates(states: string): Promise<void> {
    return writeFileAtomically(join(this.directory, STATES), states, 0o600)
  }

  /** Whether the process that runs is known to have this configuration: a crash may come between the two. */
  async isInForce(config: string): Promise<boolean> {
    return (await read(join(this.directory, IN_FORCE))) === digest(config)
  }

  /** Null: something is under way. */
  async setInForce(config: string | null): Promise<void> {
    const path = join(this.directory, IN_FORCE)
    if (config === null) await rm(path, { force: true })
    else await writeFileAtomically(path, digest(config), 0o600)
  }

  async readPlace(): Promise<VipPlace> {
    return parsed(await read(join(this.directory, PLACE))) ?? HOST_PLACE
  }

  async writePlace(place: VipPlace): Promise<void> {
    const text = JSON.stringify(place)
    if ((await read(join(this.directory, PLACE))) !== text) {
      await writeFileAtomically(join(this.directory, PLACE), text, 0o600)
    }
  }

  async readTotals(): Promise<Totals> {
    return parsed(await read(join(this.directory, TOTALS))) ?? noTotals
  }

  writeTotals(totals: Totals): Promise<void> {
    return writeFileAtomically(join(this.directory, TOTALS), JSON.stringify(totals), 0o600)
  }

  /** Certificates and lists that are in no configuration any more, keys among them. */
  async tidy(files: ReadonlyMap<string, string>): Promise<void> {
    await rm(join(this.directory, CANDIDATE), { force: true })
    for (const name of await readdir(join(this.directory, CERTIFICATES))) {
      if (!files.has(`${CERTIFICATES}/${name}`)) await rm(join(this.directory, CERTIFICATES, name), { force: true })
    }
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true })
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Files of our own making: what is damaged is as good as absent. */
function parsed<T>(text: string | null): T | null {
  try {
    return text === null ? null : (JSON.parse(text) as T)
  } catch {
    return null
  }
}

async function read(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
