import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DeviceIntent } from '../../wire/balancing/commands.js'
import type { LoadBalancerIntent } from '../../wire/balancing/intent.js'
import type { Provider } from '../../wire/balancing/providers.js'
import { readStateSealer, type StateSealer, stateSealer } from '../host/sealing.js'
import { syncDirectory, writeFileAtomically } from '../host/write-file.js'
import { StateDirectoryError } from '../state-error.js'

/** A balancer as one command said it. */
export interface Version {
  readonly provider: Provider
  readonly device: Readonly<DeviceIntent>
  /** 0: its keys are lost, and the plane has to say it again. */
  readonly generation: number
  readonly balancer: LoadBalancerIntent
  /** Private keys by the id of their certificate: sealed on disk. */
  readonly keys: Readonly<Record<string, string>>
  /** Keys that do not open any more, as they lie on disk. */
  readonly unopened?: string
}

export interface StoredBalancer {
  /** What the device has said yes to last. */
  readonly inForce: Version | null
  /** What it was asked after that, and has said neither yes nor no to: a crash, or a deadline, came between. */
  readonly trying: Version | null
  /** It was told to go. */
  readonly leaving: boolean
}

/** When this host was last known to be in a session, and which VIPs it has taken down since. */
export interface Mark {
  readonly bootId: string
  /** Milliseconds of the clock that runs from boot on. */
  readonly heardMs: number
  readonly selfFenceMs: number
  readonly withdrawn: readonly string[]
}

type VersionOnDisk = Omit<Version, 'keys' | 'unopened'> & { readonly sealedKeys?: string }
interface BalancerOnDisk {
  readonly version: 1
  readonly inForce: VersionOnDisk | null
  readonly trying: VersionOnDisk | null
  readonly leaving: boolean
}

const FILE = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json$/i

export const balancersDirectory = (stateDir: string): string => join(stateDir, 'balancers')
const epochsPath = (stateDir: string): string => join(stateDir, 'balancing-devices.json')
const markPath = (stateDir: string): string => join(stateDir, 'balancing-session.json')
const placeOf = (id: string): string => `balancers/${id}`

/** The balancers that this agent keeps, a file for each: what is written for one costs the same beside a thousand others. */
export class BalancingState {
  private sealer: StateSealer | null = null
  private markWriting: Promise<void> = Promise.resolve()

  private constructor(
    private readonly stateDir: string | null,
    readonly balancers: Map<string, StoredBalancer>,
    /** The highest epoch that was seen of each device. */
    readonly epochs: Map<string, number>,
    public mark: Mark | null,
  ) {}

  /** @throws StateDirectoryError when something is there and cannot be understood */
  static async load(stateDir: string): Promise<BalancingState> {
    const epochs = (await readJson<Record<string, number>>(epochsPath(stateDir))) ?? {}
    // none is as good as one of another boot; a power cut may leave half a one
    const mark = await readJson<Mark>(markPath(stateDir)).catch(() => null)
    const sealer = await readStateSealer(stateDir)
    const balancers = new Map<string, StoredBalancer>()
    const directory = balancersDirectory(stateDir)
    for (const name of (await readdir(directory).catch(unlessMissing)) ?? []) {
      const id = FILE.exec(name)?.[1]
      const stored = id === undefined ? null : await readJson<BalancerOnDisk>(join(directory, name))
      if (id !== undefined && stored !== null) balancers.set(id, opened(stored, sealer, id))
    }
    return new BalancingState(stateDir, balancers, new Map(Object.entries(epochs)), mark)
  }

  /** The same without files, for simulated hosts: a copy of what is given. */
  static inMemory(from?: Pick<BalancingState, 'balancers' | 'epochs' | 'mark'>): BalancingState {
    return new BalancingState(null, new Map(from?.balancers), new Map(from?.epochs), from?.mark ?? null)
  }

  /** On disk when this resolves; null: it is no more. A disk that refuses leaves it as it was. */
  async set(id: string, stored: StoredBalancer | null): Promise<void> {
    if (this.stateDir !== null) await this.write(this.stateDir, id, stored)
    if (stored === null) this.balancers.delete(id)
    else this.balancers.set(id, stored)
  }

  async raiseEpoch(device: string, epoch: number): Promise<void> {
    this.epochs.set(device, Math.max(epoch, this.epochs.get(device) ?? 0))
    if (this.stateDir === null) return
    await writeFileAtomically(epochsPath(this.stateDir), `${JSON.stringify(Object.fromEntries(this.epochs))}\n`)
  }

  /** Counts for this boot alone: it need not outlast a power cut, and no disk is waited for. */
  setMark(mark: Mark): Promise<void> {
    this.mark = mark
    const { stateDir } = this
    if (stateDir === null) return Promise.resolve()
    this.markWriting = this.markWriting
      .catch(() => undefined)
      .then(async () => {
        const path = markPath(stateDir)
        await writeFile(`${path}.new`, `${JSON.stringify(mark)}\n`, { mode: 0o600 })
        await rename(`${path}.new`, path)
      })
    return this.markWriting
  }

  /** Whatever became of it. */
  markWritten(): Promise<void> {
    return this.markWriting.catch(() => undefined)
  }

  private async write(stateDir: string, id: string, stored: StoredBalancer | null): Promise<void> {
    const directory = balancersDirectory(stateDir)
    const path = join(directory, `${id}.json`)
    if (stored === null) {
      await rm(path, { force: true })
      await syncDirectory(directory).catch(unlessMissing)
      return
    }
    const onDisk: BalancerOnDisk = {
      version: 1,
      inForce: await this.sealed(stateDir, id, stored.inForce),
      trying: await this.sealed(stateDir, id, stored.trying),
      leaving: stored.leaving,
    }
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await writeFileAtomically(path, `${JSON.stringify(onDisk)}\n`, 0o600)
  }

  private async sealed(stateDir: string, id: string, version: Version | null): Promise<VersionOnDisk | null> {
    if (version === null) return null
    const { keys, unopened, ...rest } = version
    if (Object.keys(keys).length === 0) return unopened === undefined ? rest : { ...rest, sealedKeys: unopened }
    this.sealer ??= await stateSealer(stateDir)
    return { ...rest, sealedKeys: this.sealer.seal(JSON.stringify(keys), placeOf(id)) }
  }
}

const opened = (stored: BalancerOnDisk, sealer: StateSealer | null, id: string): StoredBalancer => ({
  inForce: openedVersion(stored.inForce, sealer, id),
  trying: openedVersion(stored.trying, sealer, id),
  leaving: stored.leaving,
})

function openedVersion(version: VersionOnDisk | null, sealer: StateSealer | null, id: string): Version | null {
  if (version === null) return null
  const { sealedKeys, ...rest } = version
  if (sealedKeys === undefined) return { ...rest, keys: {} }
  const keys = sealer?.open(sealedKeys, placeOf(id)) ?? null
  if (keys === null) return { ...rest, generation: 0, keys: {}, unopened: sealedKeys }
  return { ...rest, keys: JSON.parse(keys) as Record<string, string> }
}

async function readJson<T>(path: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new StateDirectoryError(`${path} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
