import { cp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BalancingState, balancersDirectory } from '../agent/balancing/state.js'
import { GuestState, guestsDirectory } from '../agent/guests/state.js'
import type { HostStates } from '../agent/host-keepers.js'
import { type Journal, journalPath, openJournal } from '../agent/journal.js'
import type { Logger } from '../agent/logger.js'
import { StorageState, storageStatePath } from '../agent/storage/state.js'
import type { Disk } from './disk.js'
import type { Loss } from './fault-parameters.js'

/** A directory with the files of a real agent: what is in it survives this process. */
export class DirectoryDisk implements Disk {
  private readonly current: string
  private readonly kept: string
  private journal: Journal | null = null

  constructor(
    directory: string,
    private readonly logger: Logger,
  ) {
    this.current = join(directory, 'state')
    this.kept = join(directory, 'snapshot')
  }

  async openJournal(): Promise<Journal> {
    await mkdir(this.current, { recursive: true, mode: 0o700 })
    await this.journal?.close()
    this.journal = await openJournal(this.current, this.logger)
    return this.journal
  }

  async openStates(): Promise<HostStates> {
    return {
      storage: await StorageState.load(this.current),
      balancing: await BalancingState.load(this.current),
      guests: await GuestState.load(this.current),
    }
  }

  async snapshot(): Promise<void> {
    await rm(this.kept, { recursive: true, force: true })
    await cp(this.current, this.kept, { recursive: true })
  }

  async restore(): Promise<void> {
    await this.close()
    await rm(this.current, { recursive: true, force: true })
    await cp(this.kept, this.current, { recursive: true }).catch(unlessMissing)
  }

  async lose(losses: readonly Loss[]): Promise<void> {
    await this.close()
    // the identity is in the journal
    if (losses.includes('journal') || losses.includes('identity')) await rm(journalPath(this.current), { force: true })
    if (losses.includes('storage')) await rm(storageStatePath(this.current), { force: true })
    if (losses.includes('guests')) await rm(guestsDirectory(this.current), { recursive: true, force: true })
    if (losses.includes('balancing')) await rm(balancersDirectory(this.current), { recursive: true, force: true })
  }

  private async close(): Promise<void> {
    await this.journal?.close()
    this.journal = null
  }
}

function unlessMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
