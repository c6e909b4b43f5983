import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { VipIntent } from '../../wire/balancing/intent.js'

/** What is, or is being, made for a balancer. */
export interface PlaceRecord {
  readonly id: string
  readonly vip: VipIntent
  /** The host had not the address: it is ours to take away. */
  readonly added: boolean
}

const SUFFIX = '.json'

/**
 * A file for each place: there before anything is made of it, and gone after everything. It outlives the agent and not the
 * machine, like all that it tells of, so nothing is flushed.
 */
export class PlaceRecords {
  constructor(private readonly directory: string) {}

  /** Null: there is none that can be read. */
  async read(name: string): Promise<PlaceRecord | null> {
    const text = await readFile(join(this.directory, `${name}${SUFFIX}`), 'utf8').catch(() => null)
    try {
      // our own file, replaced as a whole; one that a power cut has torn tells of what is gone
      return text === null ? null : (JSON.parse(text) as PlaceRecord)
    } catch {
      return null
    }
  }

  async write(name: string, record: PlaceRecord): Promise<void> {
    const path = join(this.directory, `${name}${SUFFIX}`)
    await mkdir(this.directory, { recursive: true, mode: 0o700 })
    await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 })
    await rename(`${path}.new`, path)
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.directory, `${name}${SUFFIX}`), { force: true })
  }

  async ids(): Promise<string[]> {
    const files = await readdir(this.directory).catch(() => [])
    const names = files.filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length))
    const records = await Promise.all(names.map((name) => this.read(name)))
    return records.flatMap((record) => (record === null ? [] : [record.id]))
  }
}
