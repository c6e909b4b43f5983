#!/usr/bin/env node
/**
 * Adds to package-lock.json the optional packages of other platforms that npm left out because the registry it asked does
 * not offer them: `npm ci` refuses a lockfile without them. They are named with the version and the platform that their
 * parents ask for, and are skipped wherever they do not fit.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const aliases = { windows: 'win32', armv7: 'arm' }

const file = process.argv[2] ?? 'package-lock.json'
const lock = JSON.parse(readFileSync(file, 'utf8'))
const added = []

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isThere(path, name)) continue
    lock.packages[join('node_modules', name)] = {
      version: version.replace(/^[\^~]/, ''),
      ...platformOf(name),
      ...(entry.dev && { dev: true }),
      optional: true,
    }
    added.push(`${name}@${version}`)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
if (added.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
process.stdout.write(
  `${file}: ${added.length} packages of other platforms added\n${added.map((name) => `  ${name}\n`).join('')}`,
)

/** As Node.js looks it up: beside its parent, then further up. */
function isThere(path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(at.lastIndexOf('/node_modules/'), 0))) {
    if (lock.packages[join(at, 'node_modules', name)]) return true
    if (at === '') return false
  }
}

/** The platform is in the name, in one order or another. */
function platformOf(name) {
  const words = name.split(/[/_-]/)
  const pick = (known) => words.filter((word) => known.includes(word)).map((word) => aliases[word] ?? word)
  const os = pick([
    'aix',
    'android',
    'darwin',
    'freebsd',
    'linux',
    'netbsd',
    'openbsd',
    'openharmony',
    'sunos',
    'win32',
    'windows',
    'wasi',
    'wasm32',
  ])
  const cpu = pick([
    'arm',
    'arm64',
    'armv7',
    'ia32',
    'loong64',
    'mips64el',
    'ppc64',
    'ppc64le',
    'riscv64',
    's390x',
    'x64',
    'wasm32',
  ])
  const libc =
    words.includes('musl') || words.includes('musleabihf')
      ? ['musl']
      : words.includes('gnu') || words.includes('gnueabihf')
        ? ['glibc']
        : []
  return Object.fromEntries(Object.entries({ cpu, libc, os }).filter(([, values]) => values.length > 0))
}
