#!/usr/bin/env node
/**
 * Makes what a virtual host is booted from, or finds it made, and prints where it is as JSON: kernel, initramfs, and two
 * images that are only read. Needs root, debootstrap, apt and e2fsprogs; the network only where nothing is cached.
 * `--cache DIR` keeps it elsewhere.
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureBuilt, ensureInstalled } from './setup.mjs'
import { makeProgram } from './virtual-host/program.mjs'
import { makeSystem } from './virtual-host/system.mjs'

const usual = process.env.VIRTUAL_HOST_CACHE ?? '/var/cache/keelson-virtual-host'
const { values } = parseArgs({ options: { cache: { type: 'string', default: usual } } })
if (process.getuid() !== 0) throw new Error('making a virtual host needs root: debootstrap does')

const startedMs = performance.now()
/** On stderr: what is printed is the answer. */
const log = (text) => process.stderr.write(`${((performance.now() - startedMs) / 1_000).toFixed(1)} s  ${text}\n`)

await ensureInstalled()
await ensureBuilt()
const cache = resolve(values.cache)
const system = makeSystem(cache, log)
const program = makeProgram(cache, system, log)
const answer = {
  kernel: join(system, 'vmlinuz'),
  initramfs: join(program, 'initramfs'),
  system: join(system, 'root.ext4'),
  program: join(program, 'keelson.ext4'),
}
process.stdout.write(`${JSON.stringify(answer)}\n`)
