import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { programPath } from '../../../host/run.js'
import type { Logger } from '../../../logger.js'
import type { Checking, Finding, StartedCheck } from './checker.js'

const RESTART_AFTER_MS = 1000
const KILL_AFTER_MS = 2000

export interface CheckerProcessOptions {
  /** What comes before the program's name so that it runs within the namespace. */
  readonly enter: readonly string[]
  /** Of the balancer: for who looks at the processes of a host. */
  readonly directory: string
  readonly onFinding: (finding: Finding) => void
  readonly logger: Logger
  /** The script; its own, unless a test says otherwise. */
  readonly script?: string
}

/** Checks from another network namespace, by a process there; made anew when it ends by itself. */
export class CheckerProcess implements Checking {
  private readonly known = new Map<string, Finding>()
  private checks: readonly StartedCheck[] = []
  private child: ChildProcess | null = null
  private timer: NodeJS.Timeout | null = null
  private stopped = false

  constructor(private readonly options: CheckerProcessOptions) {}

  set(checks: readonly StartedCheck[]): void {
    this.checks = checks
    const ids = new Set(checks.map(({ memberId }) => memberId))
    for (const memberId of this.known.keys()) if (!ids.has(memberId)) this.known.delete(memberId)
    // one that checks nothing is not worth its memory
    if (checks.length === 0) this.end()
    else if (this.child === null) this.start()
    else this.tell()
  }

  stop(): void {
    this.stopped = true
    this.checks = []
    this.end()
  }

  private start(): void {
    if (this.stopped || this.checks.length === 0 || this.child !== null) return
    const script = this.options.script ?? fileURLToPath(new URL('./checker-main.js', import.meta.url))
    const argv = [...this.options.enter, process.execPath, '--max-old-space-size=64', script, this.options.directory]
    const child: ChildProcess = spawn(argv[0]!, argv.slice(1), {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { PATH: programPath(), LC_ALL: 'C' },
    })
    this.child = child
    child.stdin?.on('error', () => undefined)
    // an agent that stops waits for no checker: that one ends when its pipes do, which are sockets to Node
    child.unref()
    for (const pipe of [child.stdin, child.stdout]) (pipe as Socket | null)?.unref()
    child.once('error', () => this.gone(child, 'could not be started'))
    child.once('exit', (code, signal) => this.gone(child, `ended by ${signal ?? `exit code ${code}`}`))
    // a host without room for another pipe gives none: the error comes by itself
    if (!child.stdout) return
    createInterface({ input: child.stdout })
      .on('line', (line) => this.take(child, line))
      .on('error', () => undefined)
    this.tell()
  }

  /** A new process goes on from what the last one knew. */
  private tell(): void {
    const checks = this.checks.map((check) => ({
      ...check,
      known: this.known.get(check.memberId)?.found ?? check.known,
    }))
    this.child?.stdin?.write(`${JSON.stringify(checks)}\n`)
  }

  private take(child: ChildProcess, line: string): void {
    if (child !== this.child) return
    const finding = readFinding(line)
    if (finding === null) return
    this.known.set(finding.memberId, finding)
    this.options.onFinding(finding)
  }

  private gone(child: ChildProcess, how: string): void {
    if (child !== this.child) return
    this.child = null
    this.options.logger.warn({ how }, 'the checker of a load balancer has ended: it is started again')
    this.timer ??= setTimeout(() => {
      this.timer = null
      this.start()
    }, RESTART_AFTER_MS).unref()
  }

  /** It ends when nobody speaks to it any more, and at the latest after a while. */
  private end(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    const child = this.child
    this.child = null
    if (child === null) return
    child.stdin?.end()
    const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref()
    child.once('exit', () => clearTimeout(timer))
  }
}

/** Null: the process was killed in the middle of a line. */
function readFinding(line: string): Finding | null {
  try {
    // our own program's words
    return JSON.parse(line) as Finding
  } catch {
    return null
  }
}
