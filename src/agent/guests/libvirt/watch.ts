import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { programPath } from '../../host/run.js'
import { guestOfDomain } from './domain-xml.js'

const LINE = /event '([\w-]+)' for domain '([^']+)'/
/** Twice as long each time, while it ends at once. */
const AGAIN_AFTER_MS = { least: 500, most: 30_000 }
const STEADY_MS = 5_000
const KILL_AFTER_MS = 1_000

export interface DomainEvent {
  readonly guestId: string
  readonly kind: string
}

export function eventIn(line: string): DomainEvent | null {
  const [, kind, domain] = LINE.exec(line) ?? []
  const guestId = guestOfDomain(domain ?? '')
  return kind === undefined || guestId === null ? null : { guestId, kind }
}

export interface WatchOptions {
  readonly uri: string
  readonly onEvent: (event: DomainEvent) => void
  /** What happened while there was no watch is not known. */
  readonly onGap: () => void
}

/** `virsh event`, for as long as it is wanted: begun anew when it ends, as with libvirtd. */
export class Watch {
  private child: ChildProcess | null = null
  private again: NodeJS.Timeout | null = null
  private afterMs = AGAIN_AFTER_MS.least
  private isWanted = true
  private ended: Promise<void> = Promise.resolve()

  constructor(private readonly options: WatchOptions) {
    this.begin()
  }

  /** The child is gone when this resolves. */
  async end(): Promise<void> {
    this.isWanted = false
    if (this.again !== null) clearTimeout(this.again)
    const { child } = this
    if (child === null) return
    child.kill('SIGTERM')
    const killed = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    await this.ended
    clearTimeout(killed)
  }

  private begin(): void {
    const { uri, onEvent, onGap } = this.options
    const args = ['-c', uri, '-k', '3', '-K', '2', 'event', '--all', '--loop', '--timestamp']
    // it goes with the agent, also when that is killed
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'virsh', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { PATH: programPath(), LC_ALL: 'C' },
    })
    this.child = child
    const begunMs = performance.now()
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = eventIn(line)
      if (event !== null) onEvent(event)
    })
    this.ended = new Promise((resolve) => {
      const over = () => {
        if (this.child === child) this.child = null
        resolve()
        if (!this.isWanted) return
        if (performance.now() - begunMs > STEADY_MS) this.afterMs = AGAIN_AFTER_MS.least
        onGap()
        this.again = setTimeout(() => this.begin(), this.afterMs)
        this.afterMs = Math.min(AGAIN_AFTER_MS.most, this.afterMs * 2)
        this.again.unref()
      }
      child.once('error', over)
      child.once('close', over)
    })
    child.unref()
  }
}
