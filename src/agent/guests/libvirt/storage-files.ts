import { dirname } from 'node:path'
import { FaultError } from '../../fault.js'
import { type Run, type RunResult, wordsOf } from '../../host/run.js'

const QUICK_MS = 20_000
const LONG_MS = 3_600_000
const MAX_OUTPUT_BYTES = 1_048_576

/**
 * Files on storage, which may hang: whoever touches them is a child that can be killed. What is made appears under its name when it
 * is whole and on disk.
 */
export class StorageFiles {
  constructor(private readonly run: Run) {}

  /** Null: there is none. */
  async size(path: string, signal: AbortSignal): Promise<number | null> {
    const result = await this.tool('stat', ['-L', '-c', '%s', '--', path], signal, QUICK_MS)
    if (isDone(result)) return Number(result.stdout.trim())
    if (/No such file or directory/.test(wordsOf(result))) return null
    throw new FaultError('storage-not-up', wordsOf(result))
  }

  async sha256(path: string, signal: AbortSignal): Promise<string> {
    return (await this.must('sha256sum', ['--', path], signal)).slice(0, 64)
  }

  async makeDirectory(path: string, signal: AbortSignal): Promise<void> {
    await this.must('mkdir', ['-p', '--', path], signal, QUICK_MS)
  }

  /** @returns whether there was one */
  async remove(path: string, signal: AbortSignal): Promise<boolean> {
    const was = (await this.size(path, signal)) !== null
    await this.must('rm', ['-f', '--', path], signal)
    return was
  }

  async list(directory: string, signal: AbortSignal): Promise<string[]> {
    const args = [directory, '-mindepth', '1', '-maxdepth', '1', '-type', 'f', '-printf', '%f\n']
    const result = await this.tool('find', args, signal, QUICK_MS)
    return isDone(result) ? result.stdout.split('\n').filter((name) => name !== '') : []
  }

  /** Replaces what is there by what `make` makes. @param make of a path beside it */
  async replace(path: string, signal: AbortSignal, make: (partial: string) => Promise<void>): Promise<void> {
    const partial = `${path}.new`
    await this.makeDirectory(dirname(path), signal)
    await this.must('rm', ['-f', '--', partial], signal)
    try {
      await make(partial)
      await this.must('sync', ['--', partial], signal)
      await this.must('mv', ['-fT', '--', partial, path], signal)
      await this.must('sync', ['--', dirname(path)], signal)
    } catch (error) {
      await this.tool('rm', ['-f', '--', partial], AbortSignal.timeout(QUICK_MS), QUICK_MS)
      throw error
    }
  }

  /** @returns what it printed. @throws FaultError of `volume-failed` in its words */
  async must(program: string, args: readonly string[], signal: AbortSignal, deadlineMs = LONG_MS): Promise<string> {
    const result = await this.tool(program, args, signal, deadlineMs)
    if (isDone(result)) return result.stdout
    throw new FaultError('volume-failed', `${program}: ${wordsOf(result)}`)
  }

  private tool(program: string, args: readonly string[], signal: AbortSignal, deadlineMs: number): Promise<RunResult> {
    return this.run(program, args, { deadlineMs, signal, maxOutputBytes: MAX_OUTPUT_BYTES })
  }
}

const isDone = (result: RunResult): result is Extract<RunResult, { outcome: 'exited' }> =>
  result.outcome === 'exited' && result.code === 0
