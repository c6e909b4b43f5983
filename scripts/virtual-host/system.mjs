import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { debootstrap, SUITE } from '../replay/debian.mjs'
import { cached } from './cache.mjs'
import { makeFilesystem } from './filesystem.mjs'

/** What a storage host has, and what the guest's own start needs. */
const packages = [
  'busybox-static',
  'e2fsprogs',
  'iproute2',
  'kmod',
  'libstdc++6',
  'netbase',
  'nfs-common',
  'open-iscsi',
  'procps',
  'xfsprogs',
]
const kernelPackage = 'linux-image-cloud-amd64'
/** What the kernel needs to see its disks and to put a writable layer over the first; the rest is loaded later. */
const earlyModules = ['virtio_pci', 'virtio_blk', 'overlay']
const dispensable = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'var/cache/apt', 'var/lib/apt/lists']

const run = (program, args, options) =>
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options })

/**
 * Debian as it stands on a storage host, as an image that is only read; beside it the kernel and what its first steps need.
 * Kept until what it is made of changes: it needs no network then.
 */
export function makeSystem(cache, log) {
  return cached(cache, 'system', recipe(), (directory) => {
    log(`Debian ${SUITE} with ${packages.join(', ')}`)
    const root = join(directory, 'root')
    debootstrap(root, { include: packages })
    log(`the kernel of ${kernelPackage}`)
    const release = installKernel(root, directory)
    keepEarly(root, release, join(directory, 'early'))
    for (const path of dispensable) rmSync(join(root, path), { recursive: true, force: true })
    mkdirSync(join(root, 'opt/keelson'), { recursive: true })
    makeFilesystem(join(directory, 'root.ext4'), { from: root })
    rmSync(root, { recursive: true })
  })
}

const sources = ['system.mjs', 'filesystem.mjs', '../replay/debian.mjs']
const recipe = () => sources.map((name) => readFileSync(new URL(name, import.meta.url)))

/** Unpacked, not installed: an initramfs of Debian's would take longer to make than all the rest. @returns its release */
function installKernel(root, directory) {
  const depends = execFileSync('apt-cache', ['depends', kernelPackage], { encoding: 'utf8' })
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (!name) throw new Error(`apt knows no ${kernelPackage}: is this Debian ${SUITE}, and was apt-get update run?`)
  run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', name], { cwd: directory })
  const file = join(
    directory,
    readdirSync(directory).find((entry) => entry.endsWith('.deb')),
  )
  const unpacked = join(directory, 'kernel')
  run('dpkg-deb', ['-x', file, unpacked])
  const release = name.replace('linux-image-', '')
  cpSync(join(unpacked, 'boot', `vmlinuz-${release}`), join(directory, 'vmlinuz'))
  run('cp', ['-a', join(unpacked, 'lib/modules'), join(root, 'usr/lib/')])
  run('chroot', [root, 'depmod', release])
  for (const path of [file, unpacked]) rmSync(path, { recursive: true })
  return release
}

/** Modules in the order in which they are loaded, and a shell. */
function keepEarly(root, release, directory) {
  mkdirSync(directory)
  const args = [root, 'modprobe', '--set-version', release, '--show-depends', '--all', ...earlyModules]
  const lines = execFileSync('chroot', args, { encoding: 'utf8' })
  const files = [...new Set([...lines.matchAll(/^insmod (\S+)/gm)].map(([, path]) => path))]
  for (const [index, path] of files.entries()) {
    const name = path.split('/').at(-1)
    cpSync(join(root, path), join(directory, `${String(index).padStart(2, '0')}-${name}`))
  }
  cpSync(join(root, 'bin/busybox'), join(directory, 'busybox'))
  writeFileSync(join(directory, 'release'), `${release}\n`)
  if (!existsSync(join(directory, 'busybox'))) throw new Error('there is no shell for the first steps')
}
