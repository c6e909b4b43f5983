import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endProcess, isProcess, variableOf } from './processes.mjs'

const main = fileURLToPath(new URL('../../dist/src/main.js', import.meta.url))

/** Longer than the engine's own drain, so that it is the one to cut things short. */
const inOrder = [
  { signal: 'SIGTERM', timeoutMs: 50_000 },
  { signal: 'SIGKILL', timeoutMs: 5_000 },
]

/** One of Keelson's own programs in the background, with its log in a file and its number in another. */
export class Program {
  #child = null
  #exited = Promise.resolve()
  #expected = true

  /** @param onDeath called when it ends without having been asked to; `shown`: its log goes to the terminal instead */
  constructor({ name, args, env, directory, onDeath, shown }) {
    this.name = name
    this.args = args
    this.env = env
    this.onDeath = onDeath
    this.shown = shown
    this.logFile = join(directory, `${name}.log`)
    this.pidFile = join(directory, `${name}.pid`)
    rmSync(this.logFile, { force: true })
  }

  get pid() {
    return this.#child?.pid
  }

  get started() {
    return existsSync(this.logFile)
  }

  start() {
    const log = this.shown ? 1 : openSync(this.logFile, 'a', 0o600)
    // a session of its own: a Ctrl-C on the terminal reaches this script alone, which ends its programs in order
    const child = spawn(process.execPath, [main, ...this.args], {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...withoutOurs(process.env), ...this.env, KEELSON_LOG_FORMAT: this.shown ? 'pretty' : 'json' },
    })
    if (!this.shown) closeSync(log)
    writeFileSync(this.pidFile, `${child.pid}\n`)
    this.#child = child
    this.#expected = false
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#child = null
        rmSync(this.pidFile, { force: true })
        resolve()
        if (!this.#expected) this.onDeath(signal ?? `exit code ${code}`, code)
      })
    })
  }

  /** As a power cut would. */
  async kill() {
    this.#expected = true
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  async stop() {
    this.#expected = true
    if (this.#child) await endProcess(this.#child.pid, inOrder)
    await this.#exited
  }

  /** The last lines of its log, without the JSON around them. */
  tail(count = 15) {
    const lines = readFileSync(this.logFile, 'utf8').trimEnd().split('\n')
    return lines.slice(-count).map(readable)
  }
}

/** Ends what a killed quickstart left running: only if it is ours, and works on this directory. */
export async function endLeftover(name, directory, variable, value) {
  const pid = Number(readOr(join(directory, `${name}.pid`), '0'))
  if (pid > 1 && isProcess(pid, main, name) && variableOf(pid, variable) === value) {
    await endProcess(pid, inOrder)
    return true
  }
  return false
}

function readOr(file, otherwise) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return otherwise
  }
}

/** What the caller has set for programs of their own must not leak into the sandbox. */
function withoutOurs(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KEELSON_')))
}

function readable(line) {
  try {
    const { time, level, msg, err, name, pid, hostname, ...rest } = JSON.parse(line)
    const more = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : ''
    return `${new Date(time).toISOString().slice(11, 23)} ${level} ${msg ?? ''}${more}${err ? ` ${err.message}` : ''}`
  } catch {
    return line
  }
}
