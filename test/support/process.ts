import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { eventually, type Patience } from './eventually.js'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface SpawnSettings {
  /** Over this process's environment, whose own KEELSON_ variables are left out. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
}

/** A program in a process of its own, with all that it has said. */
export class TestProcess {
  stdout = ''
  stderr = ''
  readonly ended: Promise<Ended>
  private readonly child: ChildProcess

  constructor(command: readonly string[], { env, ...options }: SpawnSettings = {}) {
    const [file = process.execPath, ...args] = command
    this.child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnvironment(env), ...options })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => ({ code, signal }))
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('the program could not be started')
    return this.child.pid
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Its reader goes away. */
  closeStdout(): void {
    this.child.stdout?.destroy()
  }

  /** kill -9, and gone when this resolves. */
  async kill(): Promise<Ended> {
    this.child.kill('SIGKILL')
    return this.ended
  }

  /** The first line on either output that matches; fails with all that was said instead. */
  async line(pattern: RegExp, patience: Patience = { timeoutMs: 80_000 }): Promise<string> {
    return eventually(() => {
      const line = `${this.stdout}\n${this.stderr}`.split('\n').find((text) => pattern.test(text))
      if (line === undefined) throw new Error(`no line matches ${pattern} in:\n${this.stdout}\n${this.stderr}`)
      return line
    }, patience)
  }
}

/** `keelson …` as built in dist. */
export function keelson(args: readonly string[], settings: SpawnSettings = {}): TestProcess {
  return new TestProcess([process.execPath, fromRoot('dist/src/main.js'), ...args], settings)
}

/** An ES module given as text, run as `node` runs a file in the repository's directory. */
export function nodeScript(source: string, settings: SpawnSettings = {}): TestProcess {
  return new TestProcess([process.execPath, '--input-type=module', '--eval', source], {
    cwd: fromRoot('.'),
    ...settings,
  })
}

export function fromRoot(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url))
}

function cleanEnvironment(env: SpawnSettings['env'] = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('KEELSON_') && !['NODE_OPTIONS', 'DATABASE_URL', 'JEST_WORKER_ID'].includes(name),
  )
  return { ...Object.fromEntries(inherited), ...env }
}
