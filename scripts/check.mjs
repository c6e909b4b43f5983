#!/usr/bin/env node
/**
 * Everything that CI holds a change to. `--fast` leaves the tests out, but for those of the architecture; `--only a,b`
 * runs the steps of these names.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ensureInstalled } from './setup.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))

const npx = (...args) => ['npx', '--no-install', ...args]
const node = (...args) => [process.execPath, ...args]

/** In this order: what is quick and says most comes first. */
const steps = {
  types: npx('tsc', '-p', 'tsconfig.json', '--noEmit'),
  format: npx('biome', 'format'),
  lint: npx('biome', 'lint', '--error-on-warnings'),
  'type-aware lint': npx('oxlint', '--type-aware', '--deny-warnings'),
  build: npx('nest', 'build'),
  openapi: node('scripts/openapi.mjs', '--check'),
  'openapi lint': npx('redocly', 'lint', 'openapi.json'),
  reference: node('scripts/reference.mjs', '--check'),
  security: node('scripts/security.mjs'),
  'systemd units': node('scripts/units.mjs'),
  architecture: node('scripts/test.mjs', 'test/architecture'),
  tests: node('scripts/test.mjs'),
}

/** What a step ends with when this machine lacks what it needs. In CI that is a failure. */
const SKIPPED = 77
const mustRun = process.env.CI === 'true'
/** Somebody else was asked and did not answer: nothing here is wrong, and nothing is known to be right. */
const UNANSWERED = 69

/** The tests hold the architecture too. */
const left = { fast: 'tests', whole: 'architecture' }

const { values } = parseArgs({ options: { fast: { type: 'boolean' }, only: { type: 'string' } } })
const names =
  values.only?.split(',') ?? Object.keys(steps).filter((name) => name !== left[values.fast ? 'fast' : 'whole'])

await ensureInstalled()
const results = names.map(run)
report(results)
process.exitCode = results.some(({ outcome }) => outcome === 'FAILED') ? 1 : 0

function run(name) {
  if (!steps[name]) throw new Error(`there is no step ${name}: ${Object.keys(steps).join(', ')}`)
  const [program, ...args] = steps[name]
  process.stdout.write(`\n── ${name}: ${[program.split('/').pop(), ...args].join(' ')}\n`)
  const startedMs = performance.now()
  const { status, error } = spawnSync(program, args, { cwd: repository, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) process.stdout.write(`${error.message}\n`)
  const outcome = outcomeOf(status)
  return { name, outcome, seconds: (performance.now() - startedMs) / 1_000 }
}

function outcomeOf(status) {
  if (status === 0) return 'passed'
  if (status === UNANSWERED) return 'NOT ANSWERED'
  return status === SKIPPED && !mustRun ? 'skipped' : 'FAILED'
}

function report(results) {
  process.stdout.write('\n')
  for (const { name, outcome, seconds } of results) {
    process.stdout.write(`${outcome.padEnd(12)}  ${`${seconds.toFixed(1)} s`.padStart(8)}  ${name}\n`)
  }
  const count = (outcome) => results.filter((result) => result.outcome === outcome).length
  const unanswered = count('NOT ANSWERED') > 0 ? `, ${count('NOT ANSWERED')} NOT ANSWERED` : ''
  process.stdout.write(
    `\ncheck: ${count('passed')} passed, ${count('skipped')} skipped, ${count('FAILED')} failed${unanswered}\n`,
  )
}
