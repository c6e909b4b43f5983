#!/usr/bin/env node
/** Builds at every change, and starts the engine and an agent of this machine anew. Options: --http, --tcp, --data. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { chooseDirectory } from './sandbox/directory.mjs'
import { Refusal, readOptions } from './sandbox/options.mjs'
import { Sandbox } from './sandbox/sandbox.mjs'
import { ensureInstalled } from './setup.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

/** One restart at a time; what changes meanwhile is in the next one. */
let turn = Promise.resolve()
let wanted = false

process.exitCode = await dev(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`${error instanceof Refusal ? error.message : error.stack}\n`)
  return error.exitCode ?? 1
})

async function dev(args) {
  const options = readOptions(args)
  if (!options) return 0
  await ensureInstalled()
  const { path } = chooseDirectory(options.data, repository)
  const onDeath = ({ message }) => say(`${message}; waiting for a change`)
  const sandbox = new Sandbox(path, { ...options, shown: true, onDeath })
  await sandbox.open()
  const compiler = watch(() => restart(sandbox))
  try {
    await ended(sandbox, compiler)
  } finally {
    compiler.kill()
    await turn.catch(() => {})
    await sandbox.stop()
  }
  return 0
}

/** Nest's own watch: it alone runs the swagger plugin. */
function watch(onBuilt) {
  const nest = `${repository}/node_modules/@nestjs/cli/bin/nest.js`
  const compiler = spawn(process.execPath, [nest, 'build', '--watch', '--preserveWatchOutput'], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  compiler.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text)
    if (/Found 0 errors/.test(text)) onBuilt()
  })
  return compiler
}

function restart(sandbox) {
  if (wanted) return
  wanted = true
  turn = turn.then(async () => {
    wanted = false
    if (sandbox.signal.aborted) return
    await sandbox.agent.stop()
    await sandbox.engine.stop()
    await sandbox.startEngine()
    const host = await sandbox.startAgent()
    say(`${sandbox.rest.baseUrl}: host ${host.name} is ${host.status}`)
  })
  turn = turn.catch((error) => say(error.message))
}

function ended(sandbox, compiler) {
  return new Promise((done) => {
    const end = () => {
      sandbox.end(new Error('stopping'))
      done()
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end)
    compiler.once('exit', end)
  })
}

function say(text) {
  process.stdout.write(`── ${text}\n`)
}
