import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuestIntent } from '../../wire/guests/intent.js'
import { syncDirectory, writeFileAtomically } from '../host/write-file.js'
import { StateDirectoryError } from '../state-error.js'

/** A guest as the plane has said it last. */
export interface StoredGuest {
  readonly generation: number
  readonly guest: GuestIntent
  /** It was told to go, and something of it may still be there. */
  readonly leaving: boolean
  /** Starts that its restart policy has made since it was asked to run. */
  readonly restarts: number
}

const FILE = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/i

export const guestsDirectory = (stateDir: string): string => join(stateDir, 'guests')

/** The guests that this agent keeps, a file for each. */
export class GuestState {
  private constructor(
    private readonly stateDir: string | null,
    readonly guests: Map<string, StoredGuest>,
  ) {}

  /** @throws StateDirectoryError when something is there and cannot be understood */
  static async load(stateDir: string): Promise<GuestState> {
    const directory = guestsDirectory(stateDir)
    const guests = new Map<string, StoredGuest>()
    for (const name of (await readdir(directory).catch(unlessMissing)) ?? []) {
      const id = FILE.exec(name)?.[1]
      if (id !== undefined) guests.set(id, await readStored(join(directory, name)))
    }
    return new GuestState(stateDir, guests)
  }

  /** The same without files, for simulated hosts: a copy of what is given. */
  static inMemory(from?: Pick<GuestState, 'guests'>): GuestState {
    return new GuestState(null, new Map(from?.guests))
  }

  /** On disk when this resolves; null: it is no more. A disk that refuses leaves it as it was. */
  async set(id: string, stored: StoredGuest | null): Promise<void> {
    if (this.stateDir !== null) await write(guestsDirectory(this.stateDir), id, stored)
    if (stored === null) this.guests.delete(id)
    else this.guests.set(id, stored)
  }
}

async function write(directory: string, id: string, stored: StoredGuest | null): Promise<void> {
  const path = join(directory, `${id}.json`)
  if (stored === null) {
    await rm(path, { force: true })
    await syncDirectory(directory).catch(unlessMissing)
    return
  }
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFileAtomically(path, `${JSON.stringify({ version: 1, ...stored })}\n`, 0o600)
}

async function readStored(path: string): Promise<StoredGuest> {
  try {
    // written by `write`
    return JSON.parse(await readFile(path, 'utf8')) as StoredGuest
  } catch (error) {
    throw new StateDirectoryError(`${path} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
