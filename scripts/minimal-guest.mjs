#!/usr/bin/env node
/**
 * Makes the smallest guest that is a real one, or finds it made, and prints where its kernel and initrd are as JSON: a kernel of
 * Debian's, BusyBox and the QEMU guest agent. Needs apt and kmod; the network only where
 * nothing is cached. `--cache DIR` keeps it elsewhere. What it does is said by its command line: see `minimal-guest/init`.
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { makeMinimalGuest } from './minimal-guest/make.mjs'

const usual = process.env.VIRTUAL_HOST_CACHE ?? '/var/cache/keelson-virtual-host'
const { values } = parseArgs({ options: { cache: { type: 'string', default: usual } } })

const startedMs = performance.now()
/** On stderr: what is printed is the answer. */
const log = (text) => process.stderr.write(`${((performance.now() - startedMs) / 1_000).toFixed(1)} s  ${text}\n`)

const directory = makeMinimalGuest(resolve(values.cache), log)
process.stdout.write(`${JSON.stringify({ kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd') })}\n`)
