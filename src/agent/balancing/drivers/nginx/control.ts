import { open, readFile, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FaultError } from '../../../fault.js'
import { type Run, wordsOf } from '../../../host/run.js'
import { writeFileAtomically } from '../../../host/write-file.js'
import type { VipPlace } from '../../../networks/vip-place.js'
import { endProcesses, type NginxProcess, nginxProcess, nginxProcesses, send } from './processes.js'

const TEST_MS = 30_000
const START_MS = 30_000
/** nginx itself tries for 2.5 s to open a port that is taken. */
const RELOAD_MS = 20_000
/** Said of each try, of which there are several: the last word is another one. */
const TAKEN = 'Address already in use'
const LOOK_EVERY_MS = 25
const MAX_LOG_BYTES = 1024 * 1024
const MAX_WORDS_BYTES = 16 * 1024
/** What old workers get to end their connections when their master has died. */
const ORPHANS_MS = 1000

/** The nginx of one balancer: its process and the configuration that it has. */
export class NginxControl {
  readonly configuration: string
  private readonly log: string
  /** False once something failed half way: what runs may be something else than what was put. */
  settled = true

  constructor(
    private readonly directory: string,
    private readonly run: Run,
  ) {
    this.configuration = join(directory, 'nginx.conf')
    this.log = join(directory, 'error.log')
  }

  /** The configuration that was put last; null: none was. */
  current(): Promise<string | null> {
    return readFile(this.configuration, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    })
  }

  async master(): Promise<NginxProcess | null> {
    const text = await readFile(join(this.directory, 'nginx.pid'), 'utf8').catch(() => '')
    const known = /^\d+\s*$/.test(text) ? await nginxProcess(Number(text), this.directory) : null
    if (known?.role === 'master') return known
    // a crash may have come before the file
    return (await nginxProcesses(this.directory)).find(({ role }) => role === 'master') ?? null
  }

  /** What nginx says against a text; null: nothing. */
  async judge(text: string, place: VipPlace, signal?: AbortSignal): Promise<string | null> {
    const candidate = join(this.directory, 'candidate.conf')
    await writeFileAtomically(candidate, text)
    try {
      const result = await this.nginx(place, ['-t', '-q', '-c', candidate], TEST_MS, signal)
      return result.outcome === 'exited' && result.code === 0 ? null : wordsOf(result)
    } finally {
      await rm(candidate, { force: true })
    }
  }

  /** What is refused later, when members have come up, is refused now. @throws FaultError with nginx's words */
  async require(text: string, place: VipPlace, signal?: AbortSignal): Promise<void> {
    const words = await this.judge(text, place, signal)
    if (words !== null) throw refused(words)
  }

  /**
   * Has this text in force, and nothing else once it has failed: what was before goes on.
   * @throws FaultError with nginx's words
   */
  async put(text: string, place: VipPlace, signal?: AbortSignal): Promise<void> {
    await this.require(text, place, signal)
    const before = await this.current()
    await writeFileAtomically(this.configuration, text)
    try {
      const master = await this.master()
      if (master === null) await this.start(place, signal)
      else await this.reload(master, signal)
      this.settled = true
    } catch (error) {
      this.settled = false
      if (before === null) await rm(this.configuration, { force: true })
      else await writeFileAtomically(this.configuration, before)
      throw error
    }
  }

  /** @throws FaultError with nginx's words */
  async start(place: VipPlace, signal?: AbortSignal): Promise<void> {
    // workers whose master was killed hold its ports
    await endProcesses(this.directory, ORPHANS_MS)
    const result = await this.nginx(place, ['-c', this.configuration], START_MS, signal)
    if (result.outcome !== 'exited' || result.code !== 0) throw refused(wordsOf(result))
    // they have their titles a moment after the program that started them has ended
    await this.until(signal, async () => {
      const roles = (await nginxProcesses(this.directory)).map(({ role }) => role)
      return roles.includes('master') && roles.includes('worker')
    })
  }

  /** Nothing of it runs any more. @throws FaultError when something cannot be ended */
  async stop(graceMs: number): Promise<boolean> {
    const had = (await nginxProcesses(this.directory)).length > 0
    const left = await endProcesses(this.directory, graceMs)
    if (left.length === 0) return had
    throw new FaultError('balancing.stuck', `nginx does not end: processes ${left.map(({ pid }) => pid).join(', ')}`)
  }

  /** Few lines are ever written, but a host that is short of something may write them for years. */
  async boundLog(): Promise<void> {
    const bytes = await stat(this.log).then(
      ({ size }) => size,
      () => 0,
    )
    if (bytes > MAX_LOG_BYTES) await truncate(this.log)
  }

  /** A master that cannot have what it was told goes on with its old workers, and says so in its log alone. */
  private async reload(master: NginxProcess, signal?: AbortSignal): Promise<void> {
    const saidBefore = await stat(this.log).then(
      ({ size }) => size,
      () => 0,
    )
    const workers = async () =>
      (await nginxProcesses(this.directory)).filter(({ parent, role }) => parent === master.pid && role === 'worker')
    const before = new Set((await workers()).map(({ pid }) => pid))
    send(master.pid, 'SIGHUP')
    await this.until(signal, async () => {
      const said = (await this.saidSince(saidBefore)).filter((line) => line.includes('[emerg]'))
      if (said.some((line) => !line.includes(TAKEN))) throw refused(said.join('; '))
      const now = await workers()
      if (now.length === 0 && (await nginxProcess(master.pid, this.directory)) === null)
        throw refused('nginx has ended')
      return now.length > 0 && now.every(({ pid }) => !before.has(pid))
    })
  }

  private async saidSince(offset: number): Promise<string[]> {
    const handle = await open(this.log, 'r').catch(() => null)
    if (handle === null) return []
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(MAX_WORDS_BYTES), 0, MAX_WORDS_BYTES, offset)
      // a line that is still being written says nothing yet
      return buffer.toString('utf8', 0, bytesRead).split('\n').slice(0, -1)
    } finally {
      await handle.close()
    }
  }

  private async until(signal: AbortSignal | undefined, isSo: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + RELOAD_MS
    while (!(await isSo())) {
      if (signal?.aborted || performance.now() > deadlineMs)
        throw refused('nginx did not take its configuration in time')
      await delay(LOOK_EVERY_MS)
    }
  }

  /** In its own directory, by which its processes are known. */
  private nginx(place: VipPlace, args: readonly string[], deadlineMs: number, signal?: AbortSignal) {
    const argv = [...place.enter, 'env', '-C', this.directory, 'nginx', '-p', this.directory, ...args]
    return this.run(argv[0]!, argv.slice(1), { deadlineMs, ...(signal && { signal }) })
  }
}

const refused = (words: string) => new FaultError('balancing.refused', words)
