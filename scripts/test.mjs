#!/usr/bin/env node
/** The tests, with all that they need; arguments go on to jest: `npm test -- test/engine/config.test.ts -t secret`. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ensureBuilt, ensureInstalled } from './setup.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))
// jest runs ES modules only with the first; the second is silent about just that
const nodeOptions = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']

const passed = process.argv.slice(2)
const args = passed.includes('--hosts') ? hostTests(passed.filter((arg) => arg !== '--hosts')) : passed

await ensureInstalled()
await ensureBuilt()
const jest = spawn(process.execPath, ['node_modules/jest/bin/jest.js', ...args], {
  cwd: repository,
  stdio: 'inherit',
  // host tests have full counts in `npm run trial`
  env: {
    TRIAL_SCALE: 'reduced',
    ...process.env,
    NODE_OPTIONS: [process.env.NODE_OPTIONS, ...nodeOptions].filter(Boolean).join(' '),
  },
})
// Ctrl-C reaches jest by itself; it is jest that tidies up
process.on('SIGINT', () => {})
process.on('SIGTERM', () => jest.kill('SIGTERM'))
jest.on('exit', (code) => {
  process.exitCode = code ?? 1
})

/** On the machine itself and on virtual ones, one after the other: mounts, loop devices and processors are shared by all. */
function hostTests(passed) {
  const chosen = passed.some((arg) => arg.startsWith('test/')) ? [] : ['test/(hosts|e2e)/']
  return ['--testPathIgnorePatterns=/node_modules/', '--runInBand', ...chosen, ...passed]
}
