import { appendFileSync, chmodSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SpawnSettings, TestProcess } from '../../support/process.js'
import { clearGround, MARK, PREFIX } from './sweep.js'

/** Where one trial plays: a directory, and every process and mount below it. Nothing of it outlives the trial. */
export class Ground {
  readonly directory: string

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
    // Postgres runs under another account, and has to get through
    chmodSync(this.directory, 0o711)
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts)
  }

  makeDirectory(...parts: readonly string[]): string {
    const path = this.path(...parts)
    mkdirSync(path, { recursive: true })
    return path
  }

  run(command: readonly string[], settings: SpawnSettings = {}): TestProcess {
    const program = new TestProcess(command, { ...settings, env: { ...settings.env, [MARK]: this.directory } })
    const logs = process.env.TRIAL_LOGS
    if (logs) void program.ended.then(() => keepOutput(logs, command, program))
    return program
  }

  /** `keelson …` of the build that is tried. */
  keelson(args: readonly string[], settings: SpawnSettings = {}): TestProcess {
    const build = process.env.TRIAL_BUILD ?? 'dist'
    return this.run([process.execPath, join(build, 'src', 'main.js'), ...args], settings)
  }

  clear(): void {
    if (process.env.TRIAL_KEEP) return
    clearGround(this.directory)
  }
}

function keepOutput(directory: string, command: readonly string[], { pid, stdout, stderr }: TestProcess): void {
  const name = command.find((word) => ['engine', 'agent', 'simulate'].includes(word)) ?? 'program'
  appendFileSync(join(directory, `${name}-${pid}.log`), `${stdout}\n${stderr}`)
}
