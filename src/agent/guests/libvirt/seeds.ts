import { chmod, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from '../../../wire/digest.js'
import type { EnsureSeed } from '../../../wire/guests/commands.js'
import { type Run, wordsOf } from '../../host/run.js'
import { syncDirectory, writeFileAtomically } from '../../host/write-file.js'
import { layerFault } from './faults.js'
import type { Homes } from './homes.js'
import { seedFiles } from './seed-files.js'

const MAKE_MS = 30_000

/** NoCloud seeds, each in its guest's home: an ISO labelled `cidata`, for nobody else to read. */
export class Seeds {
  constructor(
    private readonly run: Run,
    private readonly homes: Homes,
  ) {}

  /** @returns whether it had to be made */
  async ensure(seed: EnsureSeed, signal: AbortSignal): Promise<boolean> {
    const files = seedFiles(seed)
    const home = await this.homes.make(seed.guestId)
    const [path, mark] = [this.homes.seed(seed.guestId), join(home, 'seed.digest')]
    const digest = digestOf(files)
    if ((await readFile(mark, 'utf8').catch(() => '')) === digest && (await isThere(path))) return false
    const directory = join(home, 'seed.new')
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory, { mode: 0o700 })
    try {
      for (const [name, text] of Object.entries(files)) await writeFileAtomically(join(directory, name), text, 0o600)
      await this.make(directory, `${path}.new`, signal)
      await rename(`${path}.new`, path)
      await syncDirectory(home)
      await writeFileAtomically(mark, digest, 0o600)
    } finally {
      await rm(directory, { recursive: true, force: true })
      await rm(`${path}.new`, { force: true })
    }
    return true
  }

  private async make(directory: string, path: string, signal: AbortSignal): Promise<void> {
    await writeFileAtomically(path, '', 0o600)
    const args = ['-as', 'genisoimage', '-quiet', '-output', path, '-volid', 'cidata', '-joliet', '-rock', directory]
    const result = await this.run('xorriso', args, { deadlineMs: MAKE_MS, signal })
    if (result.outcome !== 'exited' || result.code !== 0) throw layerFault('seed-failed', `xorriso: ${wordsOf(result)}`)
    await chmod(path, 0o600)
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
