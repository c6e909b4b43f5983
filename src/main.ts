#!/usr/bin/env node
// decorated classes ask for it as soon as they are loaded
import 'reflect-metadata'
import { Command, CommanderError } from 'commander'
import { adminCommand } from './cli/admin.js'
import { agentCommand } from './cli/agent.js'
import { brokerCommand } from './cli/broker.js'
import { configCommand } from './cli/config.js'
import { engineCommand } from './cli/engine.js'
import { keysCommand } from './cli/keys.js'
import { migrateCommand } from './cli/migrate.js'
import { openapiCommand } from './cli/openapi.js'
import { simulateCommand } from './cli/simulate.js'
import { exitCodeOf, exitCodes } from './config/exit.js'
import { version } from './config/version.js'

// whoever read our output may stop reading: `keelson config | head -1`
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const keelson = new Command('keelson')
  .description('A virtualization control plane: one engine, an agent on each host')
  .version(version, '-V, --version')
  .showSuggestionAfterError()
  .exitOverride()
for (const add of [
  engineCommand,
  agentCommand,
  brokerCommand,
  simulateCommand,
  migrateCommand,
  keysCommand,
  adminCommand,
  openapiCommand,
  configCommand,
])
  add(keelson)
keelson
  .command('version')
  .description('print the version')
  .action(() => console.log(version))

keelson.parseAsync().catch((error: unknown) => {
  process.exitCode = report(error)
})

/** Says what is wrong, unless commander already has, and answers the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
  const code = exitCodeOf(error)
  const text = error instanceof Error ? (code === exitCodes.internal ? error.stack : error.message) : String(error)
  process.stderr.write(`keelson: ${text}\n`)
  return code
}
