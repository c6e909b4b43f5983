import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StorageCredentials, StorageOptions } from '../../wire/storage/arguments.js'
import { readStateSealer, type StateSealer, stateSealer } from '../host/sealing.js'
import { writeFileAtomically } from '../host/write-file.js'
import { StateDirectoryError } from '../state-error.js'

export interface StoredConnection {
  readonly uri: string
  readonly options: StorageOptions
  /** Sealed on disk. */
  readonly credentials?: StorageCredentials
  /** Credentials that do not open any more, as they lie on disk: until they are given again, they are not forgotten. */
  readonly unopened?: string
  readonly generation: number
  readonly target: string
  /** Higher than that of every id that was managed before it: the newest one's credentials are the target's. */
  readonly order?: number
}

/**
 * Who connected a target in this boot. `ours` is written down before connecting, so that what a crash left behind is not
 * mistaken for something that was there before us, which is never disconnected (S10).
 */
export interface StoredTarget {
  readonly bootId: string
  readonly ownership: 'ours' | 'preexisting'
  /** Spelling and options it is connected with: what letting go needs when no id is left. */
  readonly uri: string
  readonly options: StorageOptions
}

type OnDisk = Omit<StoredConnection, 'credentials' | 'unopened'> & { readonly sealedCredentials?: string }

interface Stored {
  readonly version: 1
  readonly connections: Readonly<Record<string, OnDisk>>
  readonly targets: Readonly<Record<string, StoredTarget>>
}

export const storageStatePath = (stateDir: string): string => join(stateDir, 'storage.json')

/** The ids that this host manages, on disk (S7). Memory changes at once; `save` resolves when the disk says the same. */
export class StorageState {
  private readonly waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  private writing = false
  private sealer: StateSealer | null = null
  /** Each is sealed once, not with every save. */
  private readonly sealed = new WeakMap<StorageCredentials, string>()

  private constructor(
    private readonly stateDir: string | null,
    readonly connections: Map<string, StoredConnection>,
    readonly targets: Map<string, StoredTarget>,
  ) {}

  /**
   * Credentials that do not open any more are gone: their connection then has generation 0, so that the plane, which has
   * them, says it again. @throws StateDirectoryError when the file is there and cannot be understood.
   */
  static async load(stateDir: string): Promise<StorageState> {
    const { connections, targets } = await readStored(storageStatePath(stateDir))
    const entries = Object.entries(connections)
    const someSealed = entries.some(([, { sealedCredentials }]) => sealedCredentials !== undefined)
    const sealer = someSealed ? await readStateSealer(stateDir) : null
    const opened = entries.map(([id, connection]) => [id, openedWith(sealer, id, connection)] as const)
    return new StorageState(stateDir, new Map(opened), new Map(Object.entries(targets)))
  }

  /** The same without a file, for simulated hosts: a copy of what is given. */
  static inMemory(from?: Pick<StorageState, 'connections' | 'targets'>): StorageState {
    return new StorageState(null, new Map(from?.connections), new Map(from?.targets))
  }

  /** Changes made while a write is under way share the next one. */
  save(): Promise<void> {
    const { stateDir } = this
    if (stateDir === null) return Promise.resolve()
    const saved = new Promise<void>((resolve, reject) => this.waiting.push({ resolve, reject }))
    if (!this.writing) void this.writeAll(stateDir)
    return saved
  }

  private async writeAll(stateDir: string): Promise<void> {
    this.writing = true
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0)
      try {
        if (this.sealer === null && [...this.connections.values()].some(hasCredentials)) {
          this.sealer = await stateSealer(stateDir)
        }
        await writeFileAtomically(storageStatePath(stateDir), this.serialised())
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.writing = false
  }

  private serialised(): string {
    const connections = [...this.connections].map(([id, { credentials, unopened, ...rest }]): [string, OnDisk] => {
      const sealedCredentials = hasCredentials({ credentials }) ? this.sealedOf(id, credentials!) : unopened
      return [id, sealedCredentials === undefined ? rest : { ...rest, sealedCredentials }]
    })
    const stored: Stored = {
      version: 1,
      connections: Object.fromEntries(connections),
      targets: Object.fromEntries(this.targets),
    }
    return `${JSON.stringify(stored, null, 1)}\n`
  }

  private sealedOf(id: string, credentials: StorageCredentials): string {
    const known = this.sealed.get(credentials)
    if (known !== undefined) return known
    // `writeAll` has seen to it that there is one
    const sealed = this.sealer!.seal(JSON.stringify(credentials), placeOf(id))
    this.sealed.set(credentials, sealed)
    return sealed
  }
}

const hasCredentials = ({ credentials }: Pick<StoredConnection, 'credentials'>): boolean =>
  credentials !== undefined && Object.keys(credentials).length > 0

const placeOf = (connectionId: string): string => `storage.json/${connectionId}`

function openedWith(sealer: StateSealer | null, id: string, connection: OnDisk): StoredConnection {
  const { sealedCredentials, ...rest } = connection
  if (sealedCredentials === undefined) return rest
  const opened = sealer?.open(sealedCredentials, placeOf(id)) ?? null
  return opened === null
    ? { ...rest, generation: 0, unopened: sealedCredentials }
    : { ...rest, credentials: JSON.parse(opened) as StorageCredentials }
}

async function readStored(path: string): Promise<Stored> {
  const nothing: Stored = { version: 1, connections: {}, targets: {} }
  try {
    const stored = JSON.parse(await readFile(path, 'utf8')) as Stored
    if (stored.version !== 1) throw new Error(`its version is ${String(stored.version)}, this agent knows version 1`)
    return { ...nothing, ...stored }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return nothing
    throw new StateDirectoryError(`${path} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}
