#!/usr/bin/env node
/** Holds deploy/systemd against systemd itself. Exit code 77 where there is none: said, not silently passed over. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SKIPPED = 77
const directory = fileURLToPath(new URL('../deploy/systemd', import.meta.url))
const units = readdirSync(directory).map((name) => join(directory, name))

const { error, status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
  encoding: 'utf8',
})
if (error) {
  process.stdout.write('SKIPPED: systemd-analyze is not installed\n')
  process.exitCode = SKIPPED
} else {
  // an unknown key is only a warning to systemd
  const complaints = stdout + stderr
  process.stdout.write(complaints || `${units.length} units are in order\n`)
  process.exitCode = status !== 0 || complaints !== '' ? 1 : 0
}
