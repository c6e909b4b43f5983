import { mkdirSync, writeFileSync } from 'node:fs'
import { eventually } from '../../support/eventually.js'
import type { Ground } from '../../trial/support/ground.js'
import { Namespace } from './namespace.js'

const PATIENCE = { timeoutMs: 30_000, intervalMs: 200 }

/** Process 1 of its namespace reaps the bricks, which glusterd takes for running otherwise. */
const script = `
mount --bind "$root/lib" /var/lib/glusterd
mount --bind "$root/run" /run/gluster
mount --bind "$root/log" /var/log/glusterfs
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

/** A GlusterFS server with one volume of one brick; glusterd refuses an address of 127.x for bricks. */
export class GlusterServer {
  readonly volume = 'images'

  private constructor(
    private readonly space: Namespace,
    private readonly brick: string,
  ) {}

  static async start(ground: Ground): Promise<GlusterServer> {
    const root = ground.makeDirectory('gluster')
    const brick = ground.makeDirectory('gluster', 'brick')
    for (const directory of ['lib', 'run', 'log']) mkdirSync(`${root}/${directory}`)
    for (const directory of ['/var/lib/glusterd', '/run/gluster', '/var/log/glusterfs'])
      mkdirSync(directory, { recursive: true })
    writeFileSync(`${root}/glusterd.vol`, volfile)
    const server = new GlusterServer(await Namespace.start(ground, script, root), brick)
    await eventually(() => void server.gluster('pool', 'list'), PATIENCE)
    server.gluster('volume', 'create', server.volume, `${server.address}:${brick}`, 'force')
    server.gluster('volume', 'start', server.volume)
    return server
  }

  get address(): string {
    return this.space.address
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
    this.space.signal('glusterfsd', signal)
  }

  stop(): Promise<void> {
    return this.space.stop()
  }

  private gluster(...args: readonly string[]): string {
    return this.space.run('gluster', '--mode=script', ...args)
  }

  private brickPids(): number[] {
    return this.space.pids('glusterfsd')
  }
}
