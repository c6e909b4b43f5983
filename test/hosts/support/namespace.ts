import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { eventually } from '../../support/eventually.js'
import type { TestProcess } from '../../support/process.js'
import type { Ground } from '../../trial/support/ground.js'

const PATIENCE = { timeoutMs: 30_000, intervalMs: 200 }

/**
 * Servers in namespaces of their own: their network has one address that is reached from here, and the end of the first
 * process is the end of every process and mount in it.
 */
export class Namespace {
  private constructor(
    private readonly program: TestProcess,
    private readonly init: number,
    /** As others reach it: not 127.x. */
    readonly address: string,
  ) {}

  /** @param script of bash, as process 1: it reaps what its children leave. Given the root and the address to come. */
  static async start(ground: Ground, script: string, root: string): Promise<Namespace> {
    // of the range for benchmarks, RFC 2544
    const net = `198.18.${randomInt(256)}.${4 * randomInt(64)}`.split('.').map(Number)
    const [ours, theirs] = [1, 2].map((last) => [...net.slice(0, 3), net[3]! + last].join('.')) as [string, string]
    const program = ground.run([
      'unshare',
      ...['--mount', '--net', '--pid', '--fork', '--kill-child'],
      ...['bash', '-c', `${arrival}${script}`, 'servers', root, theirs],
    ])
    const init = await eventually(() => {
      const [child] = readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .map(Number)
      if (!child) throw new Error(`unshare has no child: ${program.stderr}`)
      return child
    }, PATIENCE)
    connect(program.pid, init, ours, theirs)
    return new Namespace(program, init, theirs)
  }

  /** What the script has said of what went wrong. */
  get stderr(): string {
    return this.program.stderr
  }

  /** Runs a program in there; throws what it says. */
  run(...command: readonly string[]): string {
    const inside = ['-t', String(this.init), '-m', '-n', '-p', ...command]
    return execFileSync('nsenter', inside, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** Processes in there of a program of that name. */
  pids(program: string): number[] {
    const namespace = readlinkSync(`/proc/${this.init}/ns/pid`)
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return []
      try {
        const isIt = readFileSync(`/proc/${name}/comm`, 'utf8').trim() === program
        return isIt && readlinkSync(`/proc/${name}/ns/pid`) === namespace ? [Number(name)] : []
      } catch {
        return []
      }
    })
  }

  signal(program: string, signal: NodeJS.Signals): void {
    const pids = this.pids(program)
    if (pids.length === 0) throw new Error(`no ${program} runs`)
    for (const pid of pids) process.kill(pid, signal)
  }

  async stop(): Promise<void> {
    await this.program.kill()
  }
}

const arrival = `
set -e
root=$1 address=$2
mount --make-rprivate /
mount -t proc proc /proc
ip link set lo up
until ip -o addr show | grep -q "$address"; do sleep 0.1; done
`

/** A pair of interfaces that goes with the namespace. */
function connect(name: number, init: number, ours: string, theirs: string): void {
  const [outside, inside] = [`kg${name}o`, `kg${name}i`]
  const ip = (...args: readonly string[]) => execFileSync('ip', args, { stdio: 'pipe' })
  const within = (...args: readonly string[]) =>
    execFileSync('nsenter', ['-t', String(init), '-n', 'ip', ...args], { stdio: 'pipe' })
  ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside)
  ip('link', 'set', inside, 'netns', String(init))
  ip('addr', 'add', `${ours}/30`, 'dev', outside)
  ip('link', 'set', outside, 'up')
  within('addr', 'add', `${theirs}/30`, 'dev', inside)
  within('link', 'set', inside, 'up')
}
