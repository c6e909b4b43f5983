import 'reflect-metadata'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { access } from './access/bench.js'
import { balancing } from './balancing/bench.js'
import { broker } from './broker/bench.js'
import { commands } from './commands/bench.js'
import { openPostgres } from './database.js'
import type { Bench, Figure } from './figures.js'
import { isMet } from './figures.js'
import { fleet } from './fleet/bench.js'
import { guests } from './guests/bench.js'
import { haproxy } from './haproxy/bench.js'
import { describeMachine, textOfMachine } from './machine.js'
import { rest } from './rest/bench.js'
import { rpc } from './rpc/bench.js'
import { storage } from './storage/bench.js'
import { tableOf } from './table.js'

const benches: readonly Bench[] = [rpc, commands, fleet, rest, access, storage, balancing, haproxy, guests, broker]

const USAGE = `npm run bench -- [name…] [--smoke] [--json FILE]

${benches.map(({ name, meaning }) => `  ${name.padEnd(10)} ${meaning}`).join('\n')}

  --smoke      short counts: shows that every bench runs
  --json FILE  writes the figures and the machine to a file
`

interface Order {
  readonly chosen: readonly Bench[]
  readonly smoke: boolean
  readonly json: string | undefined
}

const BUSY_LOAD = 0.5

type Step = () => Promise<unknown>

const say = (text: string): boolean => process.stdout.write(`${text}\n`)

/** Runs what was asked for, one bench after another. @returns the exit code: 1 when one could not run */
async function main({ chosen, smoke, json }: Order): Promise<number> {
  const undoing: Step[] = []
  const ending = once(() => undo(undoing))
  for (const signal of ['SIGINT', 'SIGTERM', 'uncaughtException'] as const) {
    process.once(signal, (reason: unknown) => {
      process.stderr.write(`ended by ${reason instanceof Error ? reason.stack : reason}\n`)
      void ending().finally(() => process.exit(1))
    })
  }
  const postgres = await openPostgres()
  undoing.push(() => postgres.stop())
  const machine = await describeMachine(postgres.url)
  say(textOfMachine(machine))
  if (machine.loadBefore > BUSY_LOAD)
    say('something else is running: figures in seconds are worse than this machine can do')
  const figures: Figure[] = []
  const failures: { bench: string; error: string }[] = []
  for (const bench of chosen) {
    say(`\n${bench.name}: ${bench.meaning}`)
    const own = undoing.length
    try {
      const setting = { smoke, postgresUrl: postgres.url, afterwards: (step: Step) => undoing.push(step) }
      figures.push(...(await bench.run(setting)))
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      failures.push({ bench: bench.name, error: text })
      say(`${bench.name} could not run: ${text}`)
    }
    await undo(undoing, own)
  }
  await ending()
  say(`\n${tableOf(figures)}`)
  if (smoke) say('\nshort counts: these figures only show that the benches run')
  const judged = figures.map((figure) => ({ ...figure, met: isMet(figure) }))
  if (json) await writeFile(json, `${JSON.stringify({ machine, smoke, figures: judged, failures }, null, 2)}\n`)
  return failures.length > 0 ? 1 : 0
}

/** Takes back the steps after the first `kept`, last one first; one that fails keeps none from being tried. */
async function undo(steps: Step[], kept = 0): Promise<void> {
  while (steps.length > kept)
    await steps
      .pop()?.()
      .catch((error: unknown) => say(`cleaning up: ${String(error)}`))
}

function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  return () => {
    running ??= work()
    return running
  }
}

function orderOf(args: readonly string[]): Order | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { smoke: { type: 'boolean', default: false }, json: { type: 'string' } },
    })
    const unknown = positionals.find((name) => !benches.some((bench) => bench.name === name))
    if (unknown) return `there is no bench ${unknown}`
    const chosen = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
    return { chosen, smoke: values.smoke, json: values.json }
  } catch (error) {
    return (error as Error).message
  }
}

const order = orderOf(process.argv.slice(2))
if (typeof order === 'string') {
  process.stderr.write(`${order}\n\n${USAGE}`)
  process.exit(64)
}
process.exit(await main(order))
