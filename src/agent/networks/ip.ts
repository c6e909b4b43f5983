import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FaultError } from '../fault.js'
import { type Run, type RunResult, wordsOf } from '../host/run.js'

const IP_MS = 5_000
const MAX_OUTPUT_BYTES = 1_048_576

export interface Batch {
  /** Whose it is: one at a time, and no two have the same file. */
  readonly name: string
  readonly lines: readonly string[]
  /** Left out: the host's own. */
  readonly namespace?: string
  readonly flags?: readonly string[]
}

/** ip(8). Many changes are one process; the first that fails is the last that is tried, and is named. */
export class Ip {
  constructor(
    private readonly run: Run,
    private readonly directory: string,
  ) {}

  /** @returns what it printed */
  async batch({ name, lines, namespace, flags = [] }: Batch): Promise<string> {
    const path = join(this.directory, `${name}.batch`)
    await writeFile(path, `${lines.join('\n')}\n`, { mode: 0o600 })
    try {
      const inside = namespace === undefined ? [] : ['-n', namespace]
      const result = await this.ip([...inside, ...flags, '-batch', path])
      if (succeeded(result)) return result.stdout
      const line = /Command failed .*:(\d+)\s*$/.exec(result.outcome === 'not-started' ? '' : result.stderr)?.[1]
      const what = line === undefined ? lines.join('; ') : lines[Number(line) - 1]
      throw new FaultError('network', `ip ${what}: ${wordsOf(result).replace(/;? ?Command failed .*$/, '')}`)
    } finally {
      await rm(path, { force: true })
    }
  }

  /** @param done words that say that there is nothing to do */
  async change(args: readonly string[], done: RegExp | null = null): Promise<void> {
    const result = await this.ip(args)
    if (!succeeded(result) && !done?.test(wordsOf(result)))
      throw new FaultError('network', `ip ${args.join(' ')}: ${wordsOf(result)}`)
  }

  private ip(args: readonly string[]): Promise<RunResult> {
    return this.run('ip', args, { deadlineMs: IP_MS, maxOutputBytes: MAX_OUTPUT_BYTES })
  }
}

const succeeded = (result: RunResult): result is Extract<RunResult, { outcome: 'exited' }> =>
  result.outcome === 'exited' && result.code === 0

/** `192.0.2.7/24`: the address with the prefix of its network. */
export const withPrefix = (address: string, cidr: string): string => `${address}/${cidr.split('/')[1]}`
