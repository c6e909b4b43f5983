import { readFile } from 'node:fs/promises'
import { daemonsOf } from '../../host/daemons.js'

const PROGRAM = 'qemu-system-x86_64'

/** The processes that guests are: one that has ended shows at once, and later in what libvirt says, which clears up first. */
export class Machines {
  private readonly pids = new Map<string, number>()
  /** Something is being done to them, after which they may have ended as they should. */
  private readonly inHand = new Set<string>()

  /** Whether the process that was found for it in this boot is no more. False too where none was found, as in another namespace. */
  async hasEnded(guestId: string): Promise<boolean> {
    if (this.inHand.has(guestId)) return false
    const known = this.pids.get(guestId)
    if (known !== undefined) return !(await isAlive(known))
    await this.find(guestId)
    return false
  }

  /** Those known, that have ended. */
  async ended(): Promise<string[]> {
    const looked = await Promise.all([...this.pids].map(async ([id, pid]) => ((await isAlive(pid)) ? null : id)))
    return looked.filter((id) => id !== null)
  }

  async take<T>(guestId: string, work: () => Promise<T>): Promise<T> {
    this.inHand.add(guestId)
    try {
      return await work()
    } finally {
      this.pids.delete(guestId)
      await this.find(guestId)
      this.inHand.delete(guestId)
    }
  }

  /** It has stopped, or may run as another process. */
  forget(guestId: string): void {
    this.pids.delete(guestId)
  }

  private async find(guestId: string): Promise<void> {
    const [pid] = await daemonsOf(PROGRAM, guestId)
    if (pid !== undefined) this.pids.set(guestId, pid)
  }
}

/** A zombie is none: whoever reaps it may take its time. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const state = stat.slice(stat.lastIndexOf(')') + 2)[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}
