import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type HostIdentity, writeIdentity } from '../../../src/agent/identity.js'
import { eventually } from '../../support/eventually.js'
import { fromRoot, type TestProcess } from '../../support/process.js'
import type { Ground } from '../../trial/support/ground.js'
import { ip } from './bridges.js'

const PATIENCE = { timeoutMs: 30_000, intervalMs: 100 }
/** Of its network that carries VIPs, inside. */
export const UPLINK = 'uplink'

const boot = `
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link set lo up
while :; do sleep 1000 & wait $!; done
`

export interface Cables {
  /** A bridge here that leads to the engine, and the address there. */
  readonly management: string
  readonly address: string
  /** A bridge here that VIPs are on. */
  readonly network: string
}

/**
 * A host with a network, names of namespaces and processes of its own, so that two of them can be on one machine. It is joined to the
 * engine by one cable, and to the network of its VIPs by another.
 */
export class Machine {
  private agent: TestProcess | null = null

  private constructor(
    private readonly ground: Ground,
    readonly name: string,
    private readonly holder: TestProcess,
    private readonly init: number,
  ) {}

  static async start(ground: Ground, name: string, { management, address, network }: Cables): Promise<Machine> {
    const holder = ground.run([
      'unshare',
      ...['--mount', '--net', '--pid', '--fork', '--kill-child'],
      ...['bash', '-c', boot],
    ])
    const machine = new Machine(ground, name, holder, await childOf(holder))
    await eventually(() => machine.run('ip', 'link', 'show', 'dev', 'lo', 'up'), PATIENCE)
    machine.plug('m', 'eth0', management)
    machine.plug('n', UPLINK, network)
    machine.run('ip', 'addr', 'add', address, 'dev', 'eth0')
    machine.run('ip', 'link', 'set', 'eth0', 'up')
    return machine
  }

  async is(identity: HostIdentity): Promise<void> {
    mkdirSync(this.stateDir, { recursive: true, mode: 0o700 })
    await writeIdentity(this.stateDir, identity)
  }

  startAgent(engine: string): void {
    const env = { KEELSON_AGENT_NAME: this.name, KEELSON_ENGINES: engine, KEELSON_STATE_DIR: this.stateDir }
    const main = join(fromRoot('dist'), 'src', 'main.js')
    this.agent = this.ground.run([...this.enter, process.execPath, main, 'agent'], {
      env: { ...env, KEELSON_LOG_FORMAT: 'json' },
    })
  }

  async signalAgent(signal: NodeJS.Signals): Promise<void> {
    const { agent } = this
    if (agent === null) throw new Error(`no agent runs on ${this.name}`)
    process.kill(await childOf(agent), signal)
    await agent.ended
  }

  get log(): string {
    return this.agent === null ? '' : `${this.agent.stdout}\n${this.agent.stderr}`
  }

  /** The cable to the engine alone: what is on the network of VIPs stays on it. */
  cutOff(): void {
    ip('link', 'set', this.cable('m'), 'down')
  }

  heal(): void {
    ip('link', 'set', this.cable('m'), 'up')
  }

  /** Runs a program in there; throws what it says. */
  run(...command: readonly string[]): string {
    const [program, ...args] = [...this.enter, ...command]
    return execFileSync(program!, args, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** What there is of load balancers. */
  places(): string[] {
    return this.run('ip', 'netns', 'list')
      .split('\n')
      .map((line) => line.split(' ')[0]!)
      .filter((name) => name.startsWith('kl-'))
  }

  /** The addresses in their namespaces that others on the network may use. */
  addresses(): string[] {
    const shown = this.places().map((name) =>
      this.run('ip', '-n', name, '-o', 'addr', 'show', 'dev', 'vip', 'scope', 'global'),
    )
    return shown.flatMap((text) => [...text.matchAll(/inet6? ([^/ ]+)\//g)].map(([, address]) => address!))
  }

  async stop(): Promise<void> {
    // first: a namespace takes its interfaces along when it likes
    for (const which of ['m', 'n'] as const) ip('link', 'del', this.cable(which))
    await this.holder.kill()
  }

  private get stateDir(): string {
    return this.ground.path(`agent-${this.name}`)
  }

  private get enter(): readonly string[] {
    return ['nsenter', '-t', String(this.init), '-m', '-n', '-p']
  }

  private cable(which: 'm' | 'n'): string {
    return `kl${which}${this.holder.pid}`
  }

  private plug(which: 'm' | 'n', inside: string, bridge: string): void {
    const outside = this.cable(which)
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', String(this.init))
    ip('link', 'set', outside, 'master', bridge)
    ip('link', 'set', outside, 'up')
  }
}

/** Of a program that starts another in namespaces. */
const childOf = ({ pid }: TestProcess): Promise<number> =>
  eventually(() => {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
    if (!child) throw new Error(`process ${pid} has no child`)
    return child
  }, PATIENCE)
