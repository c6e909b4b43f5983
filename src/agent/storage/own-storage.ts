import type { InventoryItem } from '../../wire/session.js'
import type { Logger } from '../logger.js'
import type { ObservationOutbox } from '../observations.js'
import { OwnThings } from '../own-things.js'
import type { CurrentSession } from '../session.js'
import { serveXmlRpc, type XmlRpcServer } from '../xmlrpc/server.js'
import type { StorageKeeper } from './keeper.js'
import type { KernelConnection } from './kernel.js'
import { Lookout } from './lookout.js'
import { OwnConnections } from './own-connections.js'
import { itemOf, type Sighting, untoldItems } from './sightings.js'
import type { StorageState } from './state.js'
import { storageVerbs } from './verbs.js'

export interface OwnStorageOptions {
  readonly stateDir: string
  readonly state: StorageState
  readonly keeper: StorageKeeper
  readonly kernel: () => Promise<readonly KernelConnection[]>
  readonly outbox: ObservationOutbox
  readonly current: CurrentSession
  readonly logger: Logger
}

/** In the state directory, for programs of this host (docs/local-verbs.md). */
const VERBS_SOCKET = 'verbs.sock'

/** What this host has connected without the plane: what its programs ask for, and what the kernel shows beside that (S6). */
export class OwnStorage {
  private readonly own: OwnConnections
  private readonly lookout: Lookout
  private readonly things: OwnThings
  private verbs: XmlRpcServer | null = null

  constructor(private readonly options: OwnStorageOptions) {
    const { state, keeper, kernel, outbox, current, logger } = options
    this.own = new OwnConnections(keeper, state, () => this.changed())
    this.lookout = new Lookout({
      look: kernel,
      recognise: (seen) => keeper.recognise(seen),
      leaving: () => keeper.leaving(),
      everyMs: () => keeper.probeIntervalMs,
      onChange: () => this.changed(),
      logger,
    })
    this.things = new OwnThings({
      list: () => [
        ...keeper.inventory().filter(isOwn),
        ...this.lookout.seen.map(itemOf),
        ...untoldItems(this.lookout.untold),
      ],
      outbox,
      current,
    })
  }

  /** The plane is served also where no socket can be made. */
  async start(): Promise<void> {
    const { stateDir, logger, keeper } = this.options
    this.lookout.start()
    const methods = storageVerbs({
      own: this.own,
      held: () => keeper.held(),
      unmanaged: () => this.unmanaged(),
      untold: () => this.untold,
      logger,
    })
    try {
      this.verbs = await serveXmlRpc({ directory: stateDir, name: VERBS_SOCKET, methods, logger })
    } catch (error) {
      logger.error({ err: error }, 'programs of this host cannot be served: there is no socket for them')
    }
  }

  async stop(): Promise<void> {
    this.lookout.stop()
    this.things.stop()
    await this.verbs?.close()
  }

  /** Everything that is held, for the session that is being opened, and what else is connected. */
  async *inventory(): AsyncIterable<InventoryItem> {
    await this.lookout.fresh()
    yield* this.things.inventory()
    yield* this.options.keeper.inventory().filter((item) => !isOwn(item))
  }

  unmanaged(): Promise<readonly Sighting[]> {
    return this.lookout.fresh()
  }

  /** How many more there were at the last look than `unmanaged` has. */
  get untold(): number {
    return this.lookout.untold
  }

  changed(): void {
    this.things.changed()
  }
}

const isOwn = ({ origin }: InventoryItem): boolean => origin === 'host'
