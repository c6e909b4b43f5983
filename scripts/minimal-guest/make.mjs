import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { archive, directoryEntry, fileEntry, linkEntry } from '../virtual-host/archive.mjs'
import { cached } from '../virtual-host/cache.mjs'

/** A disk, a network, the agent's channel, the drive of the seed, and file systems for what is on them. */
const modules = ['virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_console', 'virtio_scsi', 'sr_mod', 'isofs', 'ext4']
const kernelPackage = 'linux-image-cloud-amd64'
const AGENT = 'usr/sbin/qemu-ga'
const LOADER = 'ld-linux-x86-64.so.2'
const libraryPackages = ['libc6', 'libglib2.0-0', 'libnuma1', 'libpcre2-8-0', 'libudev1', 'liburing2']
const libraryPlaces = ['lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu']
const places =
  'dev proc sys tmp run bin sbin usr usr/bin usr/sbin etc root seed lib lib64 lib/modules var var/lib var/lib/keelson data'

export function makeMinimalGuest(cache, log) {
  return cached(cache, 'minimal-guest', recipe(), (directory) => {
    const root = join(directory, 'unpacked')
    const release = unpack(root, directory, log)
    renameSync(join(root, 'boot', `vmlinuz-${release}`), join(directory, 'vmlinuz'))
    writeFileSync(join(directory, 'initrd'), gzipSync(initrd(root, release)))
    rmSync(root, { recursive: true })
  })
}

const recipe = () =>
  ['make.mjs', 'init', 'shutdown', '../virtual-host/archive.mjs'].map((name) =>
    readFileSync(new URL(name, import.meta.url)),
  )

/** Unpacked, not installed. @returns the kernel's release */
function unpack(root, directory, log) {
  const depends = execFileSync('apt-cache', ['depends', kernelPackage], { encoding: 'utf8' })
  const image = /Depends: (linux-image-\S+)/.exec(depends)?.[1]
  if (!image) throw new Error(`apt knows no ${kernelPackage}: is this Debian, and was apt-get update run?`)
  const packages = [image, 'busybox-static', 'qemu-guest-agent', ...libraryPackages]
  log(`a minimal guest of ${packages.join(', ')}`)
  const options = { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] }
  execFileSync('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', ...packages], options)
  mkdirSync(root)
  for (const name of readdirSync(directory).filter((entry) => entry.endsWith('.deb'))) {
    execFileSync('dpkg-deb', ['-x', join(directory, name), root], options)
    rmSync(join(directory, name))
  }
  const release = image.replace('linux-image-', '')
  execFileSync('depmod', ['-b', root, release], options)
  return release
}

function initrd(root, release) {
  const read = (path) => readFileSync(join(root, path))
  const here = (name) => readFileSync(new URL(name, import.meta.url))
  return archive([
    ...places.split(' ').map(directoryEntry),
    fileEntry('bin/busybox', read('bin/busybox')),
    linkEntry('bin/sh', 'busybox'),
    fileEntry('init', here('init')),
    fileEntry('sbin/shutdown', here('shutdown')),
    fileEntry('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'),
    fileEntry('etc/group', 'root:x:0:\n'),
    ...modulesOf(root, release).map((path, index) =>
      fileEntry(`lib/modules/${String(index).padStart(2, '0')}.ko`, readFileSync(path)),
    ),
    fileEntry(AGENT, read(AGENT)),
    ...libraries(root).map((name) => fileEntry(`lib/${name}`, readFileSync(libraryAt(root, name)))),
    linkEntry(`lib64/${LOADER}`, `../lib/${LOADER}`),
  ])
}

/** In the order in which they are loaded. */
function modulesOf(root, release) {
  const args = ['-d', root, '--set-version', release, '--show-depends', '--all', ...modules]
  const lines = execFileSync('modprobe', args, { encoding: 'utf8' })
  return [...new Set([...lines.matchAll(/^insmod (\S+)/gm)].map(([, path]) => path))]
}

/** What the agent is linked to, as its own loader finds it. */
function libraries(root) {
  const places = libraryPlaces.map((place) => join(root, place))
  const args = ['--library-path', places.join(':'), '--list', join(root, AGENT)]
  const lines = execFileSync(join(places[0], LOADER), args, { encoding: 'utf8' })
  return [LOADER, ...[...lines.matchAll(/^\s*([^\s/]+) => \S+/gm)].map(([, name]) => name)]
}

function libraryAt(root, name) {
  const found = libraryPlaces.map((place) => join(root, place, name)).find(existsSync)
  if (!found) throw new Error(`${name} is in none of ${libraryPackages.join(', ')}`)
  return realpathSync(found)
}
