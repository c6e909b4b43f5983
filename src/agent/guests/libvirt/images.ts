import type { ImageEnsured } from '../../../wire/guests/commands.js'
import type { ImageFileIntent, ImageIntent } from '../../../wire/guests/intent.js'
import { FaultError } from '../../fault.js'
import { type Run, wordsOf } from '../../host/run.js'
import { Turns } from '../../turns.js'
import { layerFault } from './faults.js'
import type { Places } from './places.js'
import { requireWhole } from './qemu-img.js'
import type { StorageFiles } from './storage-files.js'

const FETCH_MS = 3_600_000
const MIB = 1_048_576

/** Images on storage: what is there is known for what it is, and what is not is fetched. */
export class Images {
  /** Who comes while it is being fetched finds it there. */
  private readonly turns = new Turns()

  constructor(
    private readonly run: Run,
    private readonly files: StorageFiles,
    private readonly places: Places,
  ) {}

  ensure(image: ImageIntent, signal: AbortSignal): Promise<ImageEnsured> {
    return this.turns.take(image.id, () => this.ensureNow(image, signal))
  }

  /** Only what was fetched: what lay there before is somebody's own. */
  async remove(image: ImageIntent, signal: AbortSignal): Promise<boolean> {
    let was = false
    for (const file of image.files.filter(({ url }) => url != null)) {
      was = (await this.files.remove(this.places.imageFile(image, file), signal)) || was
    }
    return was
  }

  private async ensureNow(image: ImageIntent, signal: AbortSignal): Promise<ImageEnsured> {
    let sizeBytes = 0
    for (const file of image.files) sizeBytes += await this.ensureFile(image, file, signal)
    const path = this.places.imageRole(image, 'disk')
    if (path === null || image.format === 'kernel') return { sizeBytes, minDiskMiB: 0 }
    const { virtualBytes } = await requireWhole(this.files, { path, format: image.format }, signal)
    return { sizeBytes, minDiskMiB: Math.ceil(virtualBytes / MIB) }
  }

  private async ensureFile(image: ImageIntent, file: ImageFileIntent, signal: AbortSignal): Promise<number> {
    const path = this.places.imageFile(image, file)
    const there = await this.files.size(path, signal)
    if (there === null) await this.fetch(path, file, signal)
    else await this.check(path, file, signal)
    return there ?? (await this.files.size(path, signal)) ?? 0
  }

  private async fetch(path: string, file: ImageFileIntent, signal: AbortSignal): Promise<void> {
    const { url } = file
    if (url == null) throw layerFault('image-bad', `there is no file ${file.path}`)
    await this.files.replace(path, signal, async (partial) => {
      // told on its input: a password may be in it
      const input = `url = "${url.replace(/[\\"]/g, '\\$&')}"\noutput = "${partial.replace(/[\\"]/g, '\\$&')}"\n`
      const args = ['--silent', '--show-error', '--fail', '--location', '--max-redirs', '5', '--proto', '=http,https']
      const result = await this.run('curl', [...args, '--connect-timeout', '20', '--config', '-'], {
        deadlineMs: FETCH_MS,
        signal,
        input,
      })
      if (result.outcome !== 'exited' || result.code !== 0)
        throw layerFault('image-bad', `${file.path} could not be fetched: ${wordsOf(result)}`)
      await this.check(partial, file, signal)
    })
  }

  private async check(path: string, file: ImageFileIntent, signal: AbortSignal): Promise<void> {
    if (file.sha256 == null) return
    const is = await this.files.sha256(path, signal)
    if (is !== file.sha256)
      throw new FaultError('image-bad', `the SHA-256 of ${file.path} is ${is}, and should be ${file.sha256}`)
  }
}
