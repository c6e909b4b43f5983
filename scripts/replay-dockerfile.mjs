#!/usr/bin/env node
/**
 * Builds and tries the image where there is no Docker engine: the Dockerfile's steps in a chroot, then its command as its
 * user, its health check, and its stop signal. Needs root, debootstrap and util-linux. `--cache DIR` keeps the base.
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from './replay/build.mjs'
import { execIn, firstProcess, startIn } from './replay/chroot.mjs'
import { parseDockerfile } from './replay/dockerfile.mjs'
import { waitFor } from './sandbox/waiting.mjs'

const READY_MS = 60_000
const STOPPED_MS = 60_000
const context = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { cache: { type: 'string', default: '/var/cache/keelson-replay' } } })

if (process.getuid() !== 0) throw new Error('replaying the Dockerfile needs root: chroot and namespaces')

const startedMs = performance.now()
const log = (text) =>
  process.stdout.write(`${`${((performance.now() - startedMs) / 1_000).toFixed(1)} s`.padStart(8)}  ${text}\n`)
const directory = mkdtempSync(join(tmpdir(), 'keelson-replay-'))
try {
  const stages = parseDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'))
  const image = build(stages, { context, directory, cache: resolve(values.cache), log })
  requireProductionOnly(image)
  await tryImage(image)
  log('the image builds, starts, is healthy and stops')
} finally {
  rmSync(directory, { recursive: true, force: true })
}

function requireProductionOnly({ root, workdir }) {
  const { packages } = JSON.parse(readFileSync(join(context, 'package-lock.json'), 'utf8'))
  const found = Object.keys(packages).filter((path) => packages[path].dev && exists(join(root, workdir, path)))
  if (found.length > 0) throw new Error(`the image holds development dependencies: ${found.join(', ')}`)
}

/** As `docker run -e KEELSON_HTTP=… -e KEELSON_TCP=…`: the machine's own loopback is shared. */
async function tryImage(image) {
  const [http, tcp] = [await freePort(), await freePort()]
  const env = {
    ...image.env,
    KEELSON_HTTP: `127.0.0.1:${http}`,
    KEELSON_TCP: `127.0.0.1:${tcp}`,
  }
  const container = { ...image, env }
  log(`${image.command.join(' ')} as ${image.user}`)
  const child = startIn(container, image.command)
  const said = collect(child)
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(signal ?? code)))
  try {
    await waitFor(
      'the engine in the image is ready',
      async () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
        return (await fetch(`http://127.0.0.1:${http}/health/ready`)).ok || undefined
      },
      { timeoutMs: READY_MS },
    )
    log('GET /health/ready: 200')
    const pid = firstProcess(child)
    requireUser(pid, image.user)
    const health = execIn(container, pid, image.healthcheck)
    if (health !== 0) throw new Error(`HEALTHCHECK ended with ${health}`)
    log('HEALTHCHECK: 0')
    process.kill(pid, image.stopSignal)
    const limit = new Promise((_, failed) =>
      setTimeout(() => failed(new Error(`${image.stopSignal} did not end it`)), STOPPED_MS).unref(),
    )
    const outcome = await Promise.race([ended, limit])
    if (outcome !== 0) throw new Error(`${image.stopSignal} ended it with ${outcome}, not 0`)
    log(`${image.stopSignal}: exit code 0`)
  } catch (error) {
    process.stdout.write(`${said.join('').split('\n').slice(-30).join('\n')}\n`)
    throw error
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

function requireUser(pid, user) {
  const { uid } = statSync(`/proc/${pid}`)
  if (uid === 0) throw new Error(`the image runs as root, not as ${user}`)
}

function collect(child) {
  const said = []
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => said.push(text))
  return said
}

function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })
}
