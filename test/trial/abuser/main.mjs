/**
 * Treats the port that agents dial as badly as it can, from a process of its own, so that the trial beside it measures
 * nobody but the engine: as a stranger who has no certificate, and as a host that has one. `node main.mjs HOST PORT SEED
 * ROUNDS IDLE IDENTITIES`. Prints a line of JSON for each group of abuses: when it was, and what each of them met.
 */
import { setPriority } from 'node:os'
import { hosts } from './hosts.mjs'
import { told } from './peer.mjs'
import { slow } from './slow.mjs'
import { strangers } from './strangers.mjs'

const abuses = { ...strangers, ...hosts, ...slow }

/** Those that are only waited for are waited for together. */
const everyRound = {
  garbage: ['strangersGarbage', 'strangersPlainFrames', 'strangersWithoutCertificate', 'garbage'],
  frames: ['lies', 'nonAscii', 'splitAndMerged'],
  gigabytes: ['strangersGigabyte', 'gigabytes'],
  'idle connections': ['strangersIdle'],
  'handshakes that stop': ['strangersHalfHandshake'],
  'slow senders': ['slowBeforeTls', 'slowHandshake', 'slowFirstFrame', 'slowAfterHello'],
  floods: ['flood'],
}
/** Thousands of handshakes cost this process minutes. */
const once = { 'idle connections after the handshake': ['idle'] }

async function suffer(name) {
  const startedMs = performance.now()
  try {
    return [name, `${await abuses[name]()}, in ${Math.round(performance.now() - startedMs)} ms`]
  } catch (error) {
    process.exitCode = 1
    return [name, `FAILED: ${error.message}`]
  }
}

async function abuse(groups) {
  for (const [group, names] of Object.entries(groups)) {
    const fromMs = Date.now()
    const met = Object.fromEntries(await Promise.all(names.map(suffer)))
    process.stdout.write(`${JSON.stringify({ group, fromMs, untilMs: Date.now(), met })}\n`)
  }
}

// its own work must not be what the hosts wait for: strangers are on other machines
setPriority(10)
for (let round = 0; round < told.rounds; round += 1) await abuse(everyRound)
await abuse(once)
// what still hangs is not waited for
process.exit()
