#!/usr/bin/env node
/** One command from a fresh clone to a running engine with an agent, proven by a real storage connection, load balancer and guest. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { proveBalancing } from './sandbox/balancing-proof.mjs'
import { chooseDirectory } from './sandbox/directory.mjs'
import { proveGuests } from './sandbox/guest-proof.mjs'
import { tell } from './sandbox/narrative.mjs'
import { exitCodes, Refusal, readOptions } from './sandbox/options.mjs'
import { Sandbox } from './sandbox/sandbox.mjs'
import { proveStorage } from './sandbox/storage-proof.mjs'
import { ensureBuilt, ensureInstalled } from './setup.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const SIMULATED_UP_MS = 120_000

class Interrupted extends Error {}

process.exitCode = await quickstart(process.argv.slice(2)).catch((error) => {
  if (!(error instanceof Refusal)) throw error
  process.stderr.write(`${error.message}\n`)
  return error.exitCode
})

async function quickstart(args) {
  const options = readOptions(args)
  if (!options) return 0
  await ensureInstalled()
  await ensureBuilt()
  const { path, reason } = chooseDirectory(options.data, repository)
  const sandbox = new Sandbox(path, options)
  const interrupt = () => sandbox.end(new Interrupted())
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt)
  // the reader went away, as in `npm run quickstart | head`
  process.stdout.on('error', interrupt)
  tell.title('Keelson quickstart')
  if (reason) tell.plain(`Writing to ${path}: ${reason}.`)
  for (const name of await sandbox.open()) tell.doing(`ended the ${name} that an earlier quickstart left running`)
  try {
    await run(sandbox, options)
    return 0
  } catch (error) {
    return await explain(sandbox, sandbox.signal.aborted ? sandbox.signal.reason : error, options)
  } finally {
    await sandbox.stop()
    tell.plain(`Stopped. Everything that was written is in ${path}.`)
  }
}

async function run(sandbox, options) {
  tell.chapter('An engine and an agent on this machine')
  await sandbox.startEngine()
  tell.done(
    `the engine is ready on ${process.env.DATABASE_URL ? 'the Postgres that DATABASE_URL names' : 'a Postgres of its own'}`,
  )
  if (options.tokenFile) writeFileSync(options.tokenFile, `${sandbox.token()}\n`, { mode: 0o600 })
  const host = await sandbox.startAgent()
  tell.done(`the agent of this machine opened a session: host ${host.name} is ${host.status}`)
  tell.seen(`${host.facts.os}, ${host.facts.cpus} CPUs; it can ${host.capabilities.join(', ')}`)
  await proveStorage(sandbox, host)
  await proveBalancing(sandbox, host)
  await proveGuests(sandbox, host)
  if (options.simulatedHosts > 0) await addSimulatedHosts(sandbox, options.simulatedHosts)
  tell.plain('\nProven.')
  if (!options.once) await stay(sandbox, host)
}

async function addSimulatedHosts(sandbox, count) {
  tell.chapter(`${count} simulated hosts`)
  sandbox.simulator.start()
  await sandbox.waitFor(
    `${count} simulated hosts are Up`,
    async () => (await countUp(sandbox)) > count || undefined,
    SIMULATED_UP_MS,
  )
  tell.done(`${count} hosts more are Up`)
}

/** With this machine's own. */
async function countUp({ rest }) {
  let up = 0
  let cursor = ''
  do {
    const { body } = await rest.get(
      `/api/v1/hosts?status=Up&limit=500${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    )
    up += body.items.length
    cursor = body.next
  } while (cursor)
  return up
}

function stay(sandbox, host) {
  const { baseUrl } = sandbox.rest
  tell.plain(`
  sign in       ${signingIn(sandbox)}
  REST          ${baseUrl}/api/v1
  documentation ${baseUrl}/docs
  metrics       ${baseUrl}/metrics
  agents dial   ${sandbox.tcp.text}; a machine joins with a token: curl -X POST ${baseUrl}/api/v1/hosts/join-tokens
  logs          ${sandbox.places.run}

How to go on, in another terminal:

  auth="authorization: Bearer $(cat ${sandbox.places.token})"
  curl -H "$auth" ${baseUrl}/api/v1/hosts
  curl -H "$auth" -X PUT ${baseUrl}/api/v1/hosts/${host.id}/storage-connections/mine \\
       -H 'content-type: application/json' -d '{"uri":"local:///tmp"}'
  curl -H "$auth" ${baseUrl}/api/v1/hosts/${host.id}/storage-connections
  curl -H "$auth" -N ${baseUrl}/api/v1/events/stream
  node dist/src/main.js agent status --state-dir ${sandbox.places.agent}

Ctrl-C stops the agent and the engine; what they wrote stays.`)
  return new Promise((_, reject) => sandbox.signal.addEventListener('abort', () => reject(sandbox.signal.reason)))
}

/** The password is in the engine's log once, at its first start on this database. */
function signingIn(sandbox) {
  const password = sandbox.firstPassword()
  if (password)
    return `as admin with ${password}, once: another must be chosen (PUT ${sandbox.rest.baseUrl}/api/v1/session/password)`
  const database = process.env.DATABASE_URL ? '' : ` --data-dir ${sandbox.places.engine}`
  return `as admin; a lost password is given anew by: node dist/src/main.js admin reset-password${database}`
}

async function explain(sandbox, error, { once }) {
  if (error instanceof Interrupted) {
    tell.plain('\nStopping…')
    return once ? exitCodes.failed : 0
  }
  tell.failed(error.message)
  for (const program of [sandbox.engine, sandbox.agent, sandbox.simulator]) {
    if (!program.started) continue
    tell.plain(`\nThe end of ${program.logFile}:`)
    tell.seen(program.tail().join('\n'))
  }
  return error instanceof Refusal ? error.exitCode : exitCodes.failed
}
