import { readFile, readlink, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { FaultError } from '../../../fault.js'
import { daemonsOf, endDaemons } from '../../../host/daemons.js'
import { type Run, type RunResult, wordsOf } from '../../../host/run.js'
import type { VipPlace } from '../../../networks/vip-place.js'
import { CONFIG } from './home.js'
import { ask } from './socket.js'
import { awaitWorkers, readWorkers, socketOf } from './worker.js'

export const PROGRAM = 'haproxy'
const PID_FILE = 'pid'
const CHECK_MS = 20_000
const START_MS = 15_000
const RELOAD_MS = 20_000
const ASK_MS = 2000
const GRACE_MS = 2000
const LOOK_EVERY_MS = 20

/** The process of the balancer of a directory, by its master. Null: none runs. */
export async function findMaster(directory: string): Promise<number | null> {
  const pid = Number((await readFile(join(directory, PID_FILE), 'utf8').catch(() => '')).trim())
  if (!Number.isInteger(pid) || pid < 2) return null
  const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  return basename(argv[0] ?? '') === PROGRAM && argv.includes(directory) ? pid : null
}

/** Whether it runs where it should: a namespace that was made anew under its name is another one. */
export async function isInPlace(master: number, { namespace }: VipPlace): Promise<boolean> {
  const theirs = await readlink(`/proc/${master}/ns/net`).catch(() => '')
  const path = namespace === null ? '/proc/self/ns/net' : `/run/netns/${namespace}`
  const there = await stat(path).catch(() => null)
  return there !== null && theirs === `net:[${there.ino}]`
}

/** @throws FaultError with HAProxy's words about the file */
export async function judge(run: Run, directory: string, file: string, signal?: AbortSignal): Promise<void> {
  const limits = { deadlineMs: CHECK_MS, ...(signal && { signal }) }
  const result = await run(PROGRAM, ['-c', '-C', directory, '-f', file], limits)
  if (result.outcome !== 'exited' || result.code !== 0) throw refused(result)
}

/** It is its own, and goes on when the agent ends: what is started here belongs to process 1, which reaps it. */
export async function start(run: Run, directory: string, place: VipPlace): Promise<number> {
  await endLeftovers(directory)
  await rm(join(directory, PID_FILE), { force: true })
  const args = ['-W', '-D', '-S', 'unix@master,mode,600', '-p', PID_FILE, '-C', directory, '-f', CONFIG]
  const [program = PROGRAM, ...rest] = [...place.enter, PROGRAM]
  const result = await run(program, [...rest, ...args], { deadlineMs: START_MS })
  if (result.outcome !== 'exited' || result.code !== 0) throw refused(result)
  const master = await awaitMaster(directory)
  const workers = master === null ? null : await awaitWorkers(master, ({ current }) => current !== null, START_MS)
  if (master === null || workers === null) {
    throw new FaultError('start', `haproxy has ended right after its start: ${wordsOf(result)}`)
  }
  return master
}

/** The daemon writes its pid itself, when the program that was run may have ended already. */
async function awaitMaster(directory: string): Promise<number | null> {
  const endMs = performance.now() + START_MS
  let master = await findMaster(directory)
  while (master === null && performance.now() < endMs) {
    await pause(LOOK_EVERY_MS)
    master = await findMaster(directory)
  }
  return master
}

/** @throws FaultError where the new worker does not come up: the old one goes on */
export async function reload(master: number): Promise<void> {
  const before = await readWorkers(master)
  if (before === null) throw new FaultError('reload', 'the master of haproxy does not answer')
  await ask(socketOf(master, 'master'), 'reload', ASK_MS).catch(() => undefined)
  const after = await awaitWorkers(
    master,
    ({ reloads, failed, current }) =>
      failed > before.failed || (reloads > before.reloads && current !== null && current !== before.current),
    RELOAD_MS,
  )
  if (after === null) throw new FaultError('reload', `haproxy has not reloaded within ${RELOAD_MS} ms`)
  if (after.failed > before.failed) {
    throw new FaultError(
      'reload',
      'haproxy could not start with the configuration that it had found valid, as where a port is taken',
    )
  }
}

/** Connections get a short while to end; then nothing of it is left, whatever was. @throws FaultError */
export async function stop(directory: string, signal?: AbortSignal): Promise<void> {
  const master = await findMaster(directory)
  if (master !== null) {
    send(master, 'SIGUSR1')
    const endMs = performance.now() + GRACE_MS
    while (performance.now() < endMs && !signal?.aborted && (await findMaster(directory)) !== null) {
      await pause(LOOK_EVERY_MS)
    }
  }
  await endLeftovers(directory)
}

async function endLeftovers(directory: string): Promise<void> {
  const there = await daemonsOf(PROGRAM, directory)
  if (there.length === 0) return
  for (const pid of there) send(pid, 'SIGTERM')
  const left = await endDaemons(PROGRAM, directory)
  if (left.length > 0) throw new FaultError('stuck', `haproxy does not end: ${left.join(', ')}`)
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it has gone by itself
  }
}

/** Its errors without what stands before each of them. */
function refused(result: RunResult): FaultError {
  const words = wordsOf(result)
  const alerts = [...words.matchAll(/\[ALERT\]\s+\(\d+\) : (?:config : )?(.*?)(?=; \[|$)/g)].map(([, alert]) => alert)
  return new FaultError('refused', alerts.length > 0 ? alerts.join('; ') : words)
}
