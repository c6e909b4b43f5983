import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, realpathSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { exitCodes, Refusal } from './options.mjs'

/** Under which the embedded Postgres runs when it is started by root, which it refuses to run as. */
const POSTGRES_UID = 65_534

/** Where a sandbox writes: `.keelson` in the repository, unless that lies where its Postgres could not read it. */
export function chooseDirectory(given, repository) {
  if (given) return { path: resolve(given), reason: null }
  const usual = join(repository, '.keelson')
  const closed = process.getuid() === 0 && !process.env.DATABASE_URL ? closedParent(repository) : undefined
  if (!closed) return { path: usual, reason: null }
  const path = `/var/lib/keelson-quickstart-${digest(repository).slice(0, 8)}`
  return { path, reason: `${closed} is closed to uid ${POSTGRES_UID}, under which Postgres runs for root` }
}

function closedParent(path) {
  for (let at = path; ; at = dirname(at)) {
    const { uid, mode } = statSync(at)
    if (uid !== POSTGRES_UID && (mode & 0o001) === 0) return at
    if (at === dirname(at)) return undefined
  }
}

/** Makes the directories and the secrets, once. Others may pass through the top one, and read nothing. */
export function prepareDirectory(path) {
  try {
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o711)
    const root = realpathSync(path)
    const places = {
      root,
      engine: join(root, 'engine'),
      agent: join(root, 'agent'),
      run: join(root, 'run'),
      proof: join(root, 'proof'),
      joinToken: join(root, 'join-token'),
      sealingKeys: join(root, 'sealing-keys'),
      token: join(root, 'administrator-token'),
    }
    for (const place of [places.engine, places.agent, places.run, places.proof])
      mkdirSync(place, { recursive: true, mode: 0o700 })
    makeSecret(places.sealingKeys, randomBytes(32).toString('base64'))
    return places
  } catch (error) {
    throw new Refusal(exitCodes.directory, `${path} cannot be used: ${error.message}. Choose another with --data DIR`)
  }
}

function makeSecret(file, secret) {
  try {
    writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
}

/** One sandbox per directory. An abstract socket: the kernel frees it however its process ends. */
export function lockDirectory(root) {
  const server = createServer((socket) => socket.destroy())
  return new Promise((done, failed) => {
    server.once('error', (error) => {
      if (error.code !== 'EADDRINUSE') failed(error)
      else
        failed(
          new Refusal(
            exitCodes.directory,
            `another quickstart uses ${root}: stop it, or choose another with --data DIR`,
          ),
        )
    })
    server.listen({ path: `\0keelson-sandbox-${digest(root).slice(0, 32)}` }, () => {
      server.unref()
      done(server)
    })
  })
}

const digest = (text) => createHash('sha256').update(text).digest('hex')
