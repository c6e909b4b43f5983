import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { backingFile, mountsBelow } from './mounts.mjs'

const IMAGE_BYTES = 64 * 1_048_576

/**
 * The most telling storage that can be had here: a filesystem in an image file, else a directory that is mounted a second
 * time, else (for who may not mount) a directory in place. `missing` says what a better one would have needed.
 */
export function chooseStorage(host, { agent, proof }) {
  const mayMount = host.capabilities.includes('storage:posix')
  const missing = []
  if (!mayMount) missing.push('the right to mount (root)')
  if (!hasTool('mkfs.ext4')) missing.push('mkfs.ext4')
  if (!existsSync('/dev/loop-control')) missing.push('loop devices')
  const kind = missing.length === 0 ? image(proof) : mayMount ? bind(proof) : directory(proof)
  return { ...kind, missing, mounts: () => mountsBelow(agent).filter(kind.isOurs) }
}

const image = (proof) => {
  const file = join(proof, 'disk.img')
  return {
    mounted: true,
    title: 'an ext4 filesystem in an image file',
    uri: `posix://${escaped(file)}?fstype=ext4`,
    prepare: () => makeImage(file),
    isOurs: ({ source }) => backingFile(basename(source)) === file,
  }
}

const bind = (proof) => {
  const shelf = join(proof, 'shelf')
  return {
    mounted: true,
    title: 'a directory that is mounted at a second place',
    uri: `posix://${escaped(shelf)}?fstype=bind`,
    prepare: () => mkdirSync(shelf, { recursive: true }),
    // the root of the mount is told within its filesystem
    isOurs: ({ root }) => shelf.endsWith(root),
  }
}

const directory = (proof) => {
  const shelf = join(proof, 'shelf')
  const away = join(proof, 'shelf.away')
  return {
    mounted: false,
    title: 'a directory in place',
    uri: `local://${escaped(shelf)}`,
    isOurs: () => false,
    prepare: () => {
      if (existsSync(away) && !existsSync(shelf)) renameSync(away, shelf)
      mkdirSync(shelf, { recursive: true })
    },
    takeAway: () => renameSync(shelf, away),
    bringBack: () => renameSync(away, shelf),
  }
}

/** Whole or not at all: a quickstart may be killed at any moment. */
function makeImage(file) {
  if (existsSync(file)) return
  const partial = `${file}.partial`
  writeFileSync(partial, '')
  truncateSync(partial, IMAGE_BYTES)
  execFileSync('mkfs.ext4', ['-q', '-F', partial], { env: withSystemPath(), stdio: ['ignore', 'ignore', 'pipe'] })
  renameSync(partial, file)
}

function hasTool(name) {
  return withSystemPath()
    .PATH.split(':')
    .some((directory) => existsSync(join(directory, name)))
}

const withSystemPath = () => ({ ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` })

const escaped = (path) => path.replace(/[%?#\s]/g, encodeURIComponent)
