import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { eventually } from '../../support/eventually.js'
import type { TestProcess } from '../../support/process.js'
import type { Ground } from '../../trial/support/ground.js'

const PATIENCE = { timeoutMs: 30_000, intervalMs: 200 }

/** As process 1 of its namespace it reaps the bricks, which glusterd takes for running otherwise. */
const script = `
set -e
root=$1 address=$2
mount --make-rprivate /
mount --bind "$root/lib" /var/lib/glusterd
mount --bind "$root/run" /run/gluster
mount --bind "$root/log" /var/log/glusterfs
mount -t proc proc /proc
ip link set lo up
until ip -o addr show | grep -q "$address"; do sleep 0.1; done
glusterd -N -f "$root/glusterd.vol" -l "$root/log/glusterd.log" -p "$root/run/glusterd.pid" &
wait $!
`

const volfile = `volume management
    type mgmt/glusterd
    option working-directory /var/lib/glusterd
    option run-directory /run/gluster
    option transport-type socket
    option transport.address-family inet
    option ping-timeout 0
    option event-threads 1
end-volume
`

/**
 * A GlusterFS server with one volume of one brick, in namespaces of its own: its network has an address that is not
 * 127.x, which glusterd refuses for bricks, and its end is the end of every process and mount in it.
 */
export class GlusterServer {
  readonly volume = 'images'

  private constructor(
    private readonly program: TestProcess,
    private readonly init: number,
    readonly address: string,
    private readonly brick: string,
  ) {}

  static async start(ground: Ground): Promise<GlusterServer> {
    const root = ground.makeDirectory('gluster')
    const brick = ground.makeDirectory('gluster', 'brick')
    for (const directory of ['lib', 'run', 'log']) mkdirSync(`${root}/${directory}`)
    for (const directory of ['/var/lib/glusterd', '/run/gluster', '/var/log/glusterfs'])
      mkdirSync(directory, { recursive: true })
    writeFileSync(`${root}/glusterd.vol`, volfile)
    // of the range for benchmarks, RFC 2544
    const net = `198.18.${randomInt(256)}.${4 * randomInt(64)}`.split('.').map(Number)
    const [ours, theirs] = [1, 2].map((last) => [...net.slice(0, 3), net[3]! + last].join('.')) as [string, string]
    const program = ground.run([
      'unshare',
      ...['--mount', '--net', '--pid', '--fork', '--kill-child'],
      ...['bash', '-c', script, 'gluster', root, theirs],
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
    const server = new GlusterServer(program, init, theirs, brick)
    await eventually(() => void server.gluster('pool', 'list'), PATIENCE)
    server.gluster('volume', 'create', server.volume, `${theirs}:${brick}`, 'force')
    server.gluster('volume', 'start', server.volume)
    return server
  }

  get uri(): string {
    return `glusterfs://${this.address}/${this.volume}`
  }

  /** A directory of the volume, as its server sees it. */
  path(name: string): string {
    return `${this.brick}/${name}`
  }

  async killBrick(): Promise<void> {
    this.signalBrick('SIGKILL')
    await eventually(() => expect(this.brickPids()).toEqual([]), PATIENCE)
  }

  async startBrick(): Promise<void> {
    // glusterd has to have noticed that it is gone
    await eventually(() => {
      this.gluster('volume', 'start', this.volume, 'force')
      expect(this.brickPids()).toHaveLength(1)
    }, PATIENCE)
  }

  signalBrick(signal: NodeJS.Signals): void {
    const pids = this.brickPids()
    if (pids.length === 0) throw new Error('no brick runs')
    for (const pid of pids) process.kill(pid, signal)
  }

  /** Its namespaces go with it, and with them what runs in them. */
  async stop(): Promise<void> {
    await this.program.kill()
  }

  private gluster(...args: readonly string[]): string {
    const inside = ['-t', String(this.init), '-m', '-n', '-p', 'gluster', '--mode=script', ...args]
    return execFileSync('nsenter', inside, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  private brickPids(): number[] {
    const namespace = readlinkSync(`/proc/${this.init}/ns/pid`)
    return readdirSync('/proc').flatMap((name) => {
      if (!/^\d+$/.test(name)) return []
      try {
        const isBrick = readFileSync(`/proc/${name}/comm`, 'utf8').trim() === 'glusterfsd'
        return isBrick && readlinkSync(`/proc/${name}/ns/pid`) === namespace ? [Number(name)] : []
      } catch {
        return []
      }
    })
  }
}

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
