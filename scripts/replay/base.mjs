import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { debootstrap, SUITE } from './debian.mjs'

const run = (program, args, options) =>
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options })

/**
 * What stands for `node:<major>-bookworm-slim`: a minimal Debian with the Node.js that runs this script, its npm, and the
 * account `node`. So the replay says nothing about the image's own Node.js: the engine's tests on that version do.
 */
export function makeBase(root, cacheDirectory) {
  const tarball = join(cacheDirectory, `${SUITE}-minbase-${process.arch}.tar`)
  if (!existsSync(tarball)) makeTarball(tarball)
  mkdirSync(root, { recursive: true })
  run('tar', ['-xpf', tarball, '-C', root, '--numeric-owner'])
  copyNode(root)
  appendFileSync(join(root, 'etc/passwd'), 'node:x:1000:1000::/home/node:/bin/bash\n')
  appendFileSync(join(root, 'etc/group'), 'node:x:1000:\n')
  run('install', ['-d', '-o', '1000', '-g', '1000', join(root, 'home/node')])
  copyNetwork(root)
}

function makeTarball(tarball) {
  const directory = `${tarball}.partial.d`
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(dirname(tarball), { recursive: true })
  debootstrap(directory)
  run('tar', [
    '-cf',
    `${tarball}.partial`,
    '--numeric-owner',
    '--exclude=./var/cache/apt/archives/*.deb',
    '-C',
    directory,
    '.',
  ])
  renameSync(`${tarball}.partial`, tarball)
  rmSync(directory, { recursive: true })
}

function copyNode(root) {
  const npm = dirname(dirname(realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim())))
  mkdirSync(join(root, 'usr/local/lib/node_modules'), { recursive: true })
  cpSync(process.execPath, join(root, 'usr/local/bin/node'), { dereference: true })
  cpSync(npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true, verbatimSymlinks: true })
  for (const name of ['npm', 'npx'])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, 'usr/local/bin', name))
}

/** A build reaches the registry as this machine does. */
function copyNetwork(root) {
  for (const file of ['/etc/resolv.conf', '/etc/hosts', process.env.NODE_EXTRA_CA_CERTS]) {
    if (!file || !existsSync(file)) continue
    mkdirSync(dirname(join(root, file)), { recursive: true })
    rmSync(join(root, file), { force: true })
    cpSync(file, join(root, file), { dereference: true })
  }
}
