/**
 * What every other script begins with, in plain Node without a dependency: packages as the lockfile names them, and a
 * build of the sources as they are now. Each does nothing where there is nothing to do.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const at = (...path) => join(repository, ...path)

const oldestNode = { 20: 19, 22: 12 }
/** All that `nest build` reads. */
const sources = [
  'src',
  'bench',
  'ormconfig.ts',
  'package-lock.json',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
]
const buildStamp = at('dist', '.built-from')

export async function ensureInstalled() {
  requireNode()
  if (isInstalled()) return
  say('installing packages: npm ci')
  // whatever NODE_ENV says, the build needs its tools
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', ...cacheOption()])
  if (!isInstalled()) fail('npm ci has not installed what package-lock.json names')
}

export async function ensureBuilt() {
  const fingerprint = fingerprintOf(sources)
  if (existsSync(at('dist', 'src', 'main.js')) && read(buildStamp) === fingerprint) return
  say('building: nest build')
  run(process.execPath, [at('node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build'])
  mkdirSync(at('dist'), { recursive: true })
  writeFileSync(buildStamp, fingerprint)
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const needed = oldestNode[major]
  if (major < 20 || major === 21 || (needed !== undefined && minor < needed)) {
    fail(`Node ${process.versions.node} is too old: Keelson needs 20.19, or 22.12 and newer`)
  }
}

/** npm leaves a record of what it has put into node_modules, and removes it before it begins anew. */
function isInstalled() {
  const record = read(at('node_modules', '.package-lock.json'))
  if (record === null) return false
  const installed = JSON.parse(record).packages
  const wanted = Object.entries(JSON.parse(read(at('package-lock.json'))).packages).filter(([path]) => path !== '')
  return wanted.every(([path, { version, optional, link }]) => {
    if (link || (optional && !installed[path])) return true
    return installed[path]?.version === version && existsSync(at(path))
  })
}

/** Where there is no home to write to, npm's cache is ours. */
function cacheOption() {
  try {
    accessSync(process.env.HOME ?? '', constants.W_OK)
    return []
  } catch {
    return ['--cache', at('.keelson', 'npm-cache')]
  }
}

function fingerprintOf(paths) {
  const hash = createHash('sha256').update(process.versions.node)
  for (const file of paths.flatMap(filesUnder)) hash.update(`\0${file}\0`).update(readFileSync(at(file)))
  return hash.digest('hex')
}

function filesUnder(path) {
  if (!existsSync(at(path))) return []
  const entries = () => readdirSync(at(path), { recursive: true, withFileTypes: true })
  if (path.includes('.')) return [path]
  return entries()
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1))
    .sort()
}

function run(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: repository, stdio: ['ignore', 2, 2] })
  if (error) fail(`${program} cannot be run: ${error.message}`)
  if (status !== 0) fail(`${[program.split('/').pop(), ...args].join(' ')} failed`)
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : null
}

/** On stderr: what a script prints is its own. */
function say(text) {
  process.stderr.write(`── ${text}\n`)
}

function fail(text) {
  process.stderr.write(`${text}\n`)
  process.exit(1)
}
