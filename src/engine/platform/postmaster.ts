import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { PostgresCluster } from './postgres-cluster.js'
import { backendsOf, ended, isAlive, readPidFile, runsCluster, signal } from './postgres-processes.js'

/** A running Postgres server: one that this process started, or one that outlived the process that did. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly exited: Promise<void>
}

const POLL_MS = 20
/** Long, since recovery after a crash reads all that was written since the last checkpoint. */
const START_TIMEOUT_MS = 120_000
const FAST_SHUTDOWN_MS = 10_000
const IMMEDIATE_SHUTDOWN_MS = 6_000
const ORPHANS_MS = 5_000
const LOG_FILE_BYTES = 8 * 1024 * 1024

/** Modest memory, and no parallel workers: their shared memory is more than a small container's /dev/shm holds. */
const smallServer: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  max_wal_size: '512MB',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
  autovacuum_naptime: '15s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // a client's own errors are the client's to log
  log_min_messages: 'log',
}

/** The server that a killed engine left running, if it runs these very binaries on this very directory. */
export async function findPostmaster(cluster: PostgresCluster): Promise<Postmaster | null> {
  for (;;) {
    const file = await readPidFile(cluster)
    const program = file && (await runsCluster(file.pid, cluster))
    if (!file || !program) return null
    const postmaster = { pid: file.pid, port: file.port, exited: ended(file.pid) }
    if (file.status === 'ready' && program === cluster.binaries.postgres) return postmaster
    if (file.status === 'starting') await pause(POLL_MS)
    else await stopPostmaster(postmaster)
  }
}

export async function startPostmaster(
  cluster: PostgresCluster,
  port: number,
  settings: Readonly<Record<string, string>> = {},
): Promise<Postmaster> {
  await clearAway(cluster)
  await rotate(cluster.logFile)
  const log = await open(cluster.logFile, 'a', 0o600)
  const logStart = (await log.stat()).size
  const options = Object.entries({ ...smallServer, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  // detached: Ctrl-C on the engine's terminal must not reach Postgres before the engine has drained
  const child = spawn(cluster.binaries.postgres, ['-D', cluster.data, '-p', String(port), ...options], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    cwd: cluster.data,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    ...cluster.account,
  })
  const exited = once(child, 'exit').then(() => {})
  exited.catch(() => {})
  try {
    await once(child, 'spawn')
    child.unref()
    const postmaster = { pid: child.pid as number, port, exited }
    await ready(cluster, postmaster, logStart)
    return postmaster
  } finally {
    await log.close()
  }
}

/** Fast first: sessions end, everything is written. Then at once, which the next start repairs from the log. */
export async function stopPostmaster({ pid, exited }: Postmaster): Promise<void> {
  const steps = [
    { name: 'SIGINT', waitMs: FAST_SHUTDOWN_MS },
    { name: 'SIGQUIT', waitMs: IMMEDIATE_SHUTDOWN_MS },
    { name: 'SIGKILL', waitMs: IMMEDIATE_SHUTDOWN_MS },
  ] as const
  for (const { name, waitMs } of steps) {
    if (!(await isAlive(pid))) return
    signal(pid, name)
    const limit = new AbortController()
    const late = pause(waitMs, false, { signal: limit.signal }).catch(() => false)
    const inTime = await Promise.race([exited.then(() => true), late])
    limit.abort()
    if (inTime) return
  }
}

async function ready(cluster: PostgresCluster, { pid, exited }: Postmaster, logStart: number): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  let running = true
  const watch = exited.then(
    () => (running = false),
    () => (running = false),
  )
  while (running) {
    const file = await readPidFile(cluster)
    if (file?.pid === pid && file.status === 'ready') return
    if (performance.now() > deadline) {
      signal(pid, 'SIGQUIT')
      await watch
      throw new Error(
        `Postgres was not up after ${START_TIMEOUT_MS / 1000} s: ${await tail(cluster.logFile, logStart)}`,
      )
    }
    await Promise.race([watch, pause(POLL_MS)])
  }
  throw new Error(`Postgres did not start: ${await tail(cluster.logFile, logStart)}`)
}

/**
 * Backends that outlived their postmaster are given time to notice, and are then killed. A pid file whose process is
 * somebody else's by now, or a zombie that nobody buries, would keep Postgres from starting; one without a process does not.
 */
async function clearAway(cluster: PostgresCluster): Promise<void> {
  const deadline = performance.now() + ORPHANS_MS
  for (let orphans = await backendsOf(cluster); orphans.length > 0; orphans = await backendsOf(cluster)) {
    if (performance.now() > deadline) for (const pid of orphans) signal(pid, 'SIGKILL')
    await pause(POLL_MS)
  }
  const file = await readPidFile(cluster)
  if (file && existsSync(`/proc/${file.pid}`)) await rm(join(cluster.data, 'postmaster.pid'), { force: true })
}

async function rotate(logFile: string): Promise<void> {
  const size = await stat(logFile).then(
    (stats) => stats.size,
    () => 0,
  )
  if (size > LOG_FILE_BYTES) await rename(logFile, `${logFile}.old`)
}

async function tail(logFile: string, from: number): Promise<string> {
  const text = (await readFile(logFile)).subarray(from).toString('utf8').trim()
  return text.slice(-2_000) || 'it said nothing'
}
