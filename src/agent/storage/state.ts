import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from '../host/write-file.js'
import { StateDirectoryError } from '../state-error.js'

export interface StoredConnection {
  readonly uri: string
  readonly options: Readonly<Record<string, string>>
  readonly generation: number
  readonly target: string
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
  readonly options: Readonly<Record<string, string>>
}

interface Stored {
  readonly version: 1
  readonly connections: Readonly<Record<string, StoredConnection>>
  readonly targets: Readonly<Record<string, StoredTarget>>
}

export const storageStatePath = (stateDir: string): string => join(stateDir, 'storage.json')

/** The ids that this host manages, on disk (S7). Memory changes at once; `save` resolves when the disk says the same. */
export class StorageState {
  private readonly waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = []
  private writing = false

  private constructor(
    private readonly path: string | null,
    readonly connections: Map<string, StoredConnection>,
    readonly targets: Map<string, StoredTarget>,
  ) {}

  /** @throws StateDirectoryError when the file is there and cannot be understood. */
  static async load(stateDir: string): Promise<StorageState> {
    const path = storageStatePath(stateDir)
    const { connections, targets } = await readStored(path)
    return new StorageState(path, new Map(Object.entries(connections)), new Map(Object.entries(targets)))
  }

  /** The same without a file, for simulated hosts: a copy of what is given. */
  static inMemory(from?: Pick<StorageState, 'connections' | 'targets'>): StorageState {
    return new StorageState(null, new Map(from?.connections), new Map(from?.targets))
  }

  /** Changes made while a write is under way share the next one. */
  save(): Promise<void> {
    const { path } = this
    if (path === null) return Promise.resolve()
    const saved = new Promise<void>((resolve, reject) => this.waiting.push({ resolve, reject }))
    if (!this.writing) void this.writeAll(path)
    return saved
  }

  private async writeAll(path: string): Promise<void> {
    this.writing = true
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0)
      try {
        await writeFileAtomically(path, this.serialised())
        for (const { resolve } of batch) resolve()
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    this.writing = false
  }

  private serialised(): string {
    const stored: Stored = {
      version: 1,
      connections: Object.fromEntries(this.connections),
      targets: Object.fromEntries(this.targets),
    }
    return `${JSON.stringify(stored, null, 1)}\n`
  }
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
