#!/usr/bin/env node
/**
 * The trials: hard treatment of real processes, at full counts, or reduced for every-day use.
 * `npm run trial -- [--reduced] [--seed N] [name…]`, where a name is that of a suite: kill, rewind, …, or hosts/glusterfs,
 * e2e/storage, … for the host tests, which belong to a full run. `--json --outputFile=FILE` leaves the trials' results there, as jest does.
 */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureBuilt, ensureInstalled } from './setup.mjs'

const LARGEST_SEED = 2 ** 32 - 1
const EX_USAGE = 64

const repository = fileURLToPath(new URL('..', import.meta.url))
const trials = suitesIn('trial', '.trial.ts')
const hostTests = ['hosts', 'e2e'].flatMap((folder) => suitesIn(folder, '.test.ts').map((name) => `${folder}/${name}`))

const { names, reduced, seed, results } = readCommandLine()
await ensureInstalled()
await ensureBuilt()
const build = copyBuild()
const scale = reduced ? 'reduced' : 'full'
const again = ['npm run trial --', reduced && '--reduced', `--seed ${seed}`, ...names].filter(Boolean).join(' ')
process.stdout.write(`trials at ${scale} counts, seed ${seed}; the same again: ${again}\n`)
const all = names.length === 0
process.exitCode = await run(all ? trials : names.filter((name) => trials.includes(name)), runTrials)
process.exitCode ||= await run(
  all && !reduced ? hostTests : names.filter((name) => hostTests.includes(name)),
  runHostTests,
)
rmSync(build, { recursive: true, force: true })
process.stdout.write(`seed ${seed}; the same again: ${again}\n`)

function readCommandLine() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        reduced: { type: 'boolean', default: false },
        seed: { type: 'string' },
        json: { type: 'boolean', default: false },
        outputFile: { type: 'string' },
      },
    })
    const names = positionals.map((name) => name.replace(/^test\/trial\/(.+)\.trial\.ts$/, '$1'))
    const unknown = names.filter((name) => !trials.includes(name) && !hostTests.includes(name))
    if (unknown.length > 0)
      throw new Error(`no trial is called ${unknown.join(', ')}: ${[...trials, ...hostTests].join(', ')}`)
    const results = values.json && values.outputFile ? ['--json', `--outputFile=${values.outputFile}`] : []
    return { names, reduced: values.reduced, seed: seedOf(values.seed), results }
  } catch (error) {
    process.stderr.write(`${error.message}\n`)
    process.exit(EX_USAGE)
  }
}

function seedOf(text) {
  if (text === undefined) return randomInt(LARGEST_SEED)
  const seed = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(seed <= LARGEST_SEED)) throw new Error(`--seed takes a whole number up to ${LARGEST_SEED}, not ${text}`)
  return seed
}

/**
 * Programs are started again and again for half an hour: a build that begins meanwhile must not change them. Copies of runs
 * that were killed are cleared away.
 */
function copyBuild() {
  const cache = join(repository, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  for (const name of readdirSync(cache)) {
    const owner = /^keelson-trial-(\d+)-/.exec(name)?.[1]
    if (owner && !existsSync(`/proc/${owner}`)) rmSync(join(cache, name), { recursive: true, force: true })
  }
  const copy = mkdtempSync(join(cache, `keelson-trial-${process.pid}-`))
  cpSync(join(repository, 'dist'), copy, { recursive: true })
  return copy
}

function suitesIn(folder, ending) {
  return readdirSync(join(repository, 'test', folder))
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length))
}

function run(chosen, runner) {
  return chosen.length === 0 ? 0 : runner(chosen)
}

function runTrials(chosen) {
  return runJest(
    '--config',
    'jest.trial.config.js',
    '--runInBand',
    ...results,
    ...chosen.map((name) => `test/trial/${name}\\.trial\\.ts$`),
  )
}

function runHostTests(chosen) {
  // a list takes all that follows it, up to the next option
  return runJest(
    '--testPathIgnorePatterns=/node_modules/',
    '--runInBand',
    ...chosen.map((name) => `test/${name}\\.test\\.ts$`),
  )
}

function runJest(...chosen) {
  const args = ['node_modules/jest/bin/jest.js', ...chosen]
  const nodeOptions = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const jest = spawn(process.execPath, args, {
    cwd: repository,
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_OPTIONS: [process.env.NODE_OPTIONS, ...nodeOptions].filter(Boolean).join(' '),
      TRIAL_BUILD: build,
      TRIAL_SCALE: scale,
      TRIAL_SEED: String(seed),
    },
  })
  // Ctrl-C reaches jest by itself; it is jest that tidies up
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => jest.kill('SIGTERM'))
  return new Promise((resolve) => jest.on('exit', (code) => resolve(code ?? 1)))
}
