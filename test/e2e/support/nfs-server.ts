import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { freePort } from '../../support/address.js'
import { eventually } from '../../support/eventually.js'
import type { TestProcess } from '../../support/process.js'
import type { Ground } from '../../trial/support/ground.js'
import { accepts, Server } from './server.js'

/** Fixed: whoever mounts version 3 asks there for the ports of the rest. */
const RPCBIND_PORT = 111

/** NFS-Ganesha with versions 3 and 4.x, and an rpcbind of its own, which version 3 is announced to. */
export class NfsServer extends Server {
  protected readonly env = {}
  private rpcbind: TestProcess | null = null

  private constructor(
    ground: Ground,
    readonly port: number,
    readonly mountPort: number,
    private readonly exports: readonly string[],
  ) {
    super(ground, [port, mountPort])
  }

  /** @param exports names: `name` is exported as `/name`, and is the directory `directory(name)` here */
  static async start(ground: Ground, exports: readonly string[]): Promise<NfsServer> {
    const server = new NfsServer(ground, await freePort(), await freePort(), exports)
    mkdirSync(server.path('recovery'), { recursive: true })
    for (const name of exports) mkdirSync(server.directory(name), { recursive: true })
    writeFileSync(server.path('ganesha.conf'), server.configuration())
    await server.startRpcbind()
    await server.start()
    return server
  }

  directory(name: string): string {
    return this.path('exports', name)
  }

  override async stop(): Promise<void> {
    await super.stop()
    await this.rpcbind?.kill()
  }

  /** In rpcbind's mount namespace, for the socket at which it is registered with. */
  protected override async command(): Promise<readonly string[]> {
    const files = ['-f', this.path('ganesha.conf'), '-L', this.path('ganesha.log'), '-p', this.path('ganesha.pid')]
    return ['nsenter', `--mount=/proc/${this.rpcbind?.pid}/ns/mnt`, 'ganesha.nfsd', '-F', '-N', 'NIV_EVENT', ...files]
  }

  protected override log(): string {
    const file = this.path('ganesha.log')
    return existsSync(file) ? readFileSync(file, 'utf8').slice(-4_000) : ''
  }

  /** With a /run of its own: its socket and lock are this test's alone. Its port cannot be. */
  private async startRpcbind(): Promise<void> {
    const taken = await accepts(RPCBIND_PORT).catch(() => false)
    if (taken) throw new Error(`port ${RPCBIND_PORT} is taken: an rpcbind runs on this machine`)
    const script = 'mount -t tmpfs tmpfs /run && exec setpriv --pdeathsig KILL rpcbind -f'
    this.rpcbind = this.ground.run(['unshare', '--mount', 'sh', '-c', script])
    await eventually(() => accepts(RPCBIND_PORT), { timeoutMs: 10_000 })
  }

  private path(...parts: readonly string[]): string {
    return this.ground.path('nfs', ...parts)
  }

  private configuration(): string {
    return `NFS_CORE_PARAM {
  Protocols = 3, 4;
  Bind_addr = 127.0.0.1;
  NFS_Port = ${this.port};
  MNT_Port = ${this.mountPort};
  # so that version 3 knows exports by the same names
  mount_path_pseudo = true;
  Enable_UDP = false;
  Enable_NLM = false;
  Enable_RQUOTA = false;
}
# clients of an earlier run are not waited for
NFSV4 { RecoveryBackend = fs; RecoveryRoot = "${this.path('recovery')}"; Graceless = true; }
EXPORT_DEFAULTS { Protocols = 3, 4; Transports = TCP; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; }
${this.exports.map((name, index) => exportBlock(index + 1, name, this.directory(name))).join('\n')}
`
  }
}

const exportBlock = (id: number, name: string, directory: string): string =>
  `EXPORT { Export_Id = ${id}; Path = "${directory}"; Pseudo = "/${name}"; FSAL { Name = VFS; } }`
