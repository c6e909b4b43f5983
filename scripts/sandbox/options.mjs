import { parseArgs } from 'node:util'

/** Ends a script with its exit code and one message for the reader, without a stack. */
export class Refusal extends Error {
  constructor(exitCode, message) {
    super(message)
    this.exitCode = exitCode
  }
}

export const exitCodes = { failed: 1, usage: 64, directory: 73, temporary: 75 }

const usage = `Usage: npm run quickstart -- [options]

Installs, builds and starts an engine with an agent on this machine, proves that they work, and stays until Ctrl-C.

  --once              prove, stop everything, exit 0 or 1
  --http HOST:PORT    REST and its documentation (default 127.0.0.1:8080)
  --tcp HOST:PORT     what agents dial (default 127.0.0.1:8081)
  --data DIR          everything that is written (default .keelson in this directory)
  --token-file FILE   write an administrator's token there (an empty file until there are tokens)
  --simulate N        add N simulated hosts
  --help              show this

DATABASE_URL names a Postgres 15 or newer; without it, the engine brings its own.
`

const declared = {
  once: { type: 'boolean', default: false },
  http: { type: 'string', default: '127.0.0.1:8080' },
  tcp: { type: 'string', default: '127.0.0.1:8081' },
  data: { type: 'string' },
  'token-file': { type: 'string' },
  simulate: { type: 'string', default: '0' },
  help: { type: 'boolean', default: false },
}

/** @returns null when the reader only asked for help, which is printed */
export function readOptions(args) {
  const { help, once, http, tcp, data, simulate, 'token-file': tokenFile } = parse(args)
  if (help) {
    process.stdout.write(usage)
    return null
  }
  return {
    once,
    http: address('--http', http),
    tcp: address('--tcp', tcp),
    data,
    tokenFile,
    simulatedHosts: count('--simulate', simulate),
  }
}

function parse(args) {
  try {
    return parseArgs({ args, options: declared }).values
  } catch (error) {
    throw new Refusal(exitCodes.usage, `${error.message}\n\n${usage}`)
  }
}

function address(option, text) {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/i.exec(text) ?? []
  const host = bracketed ?? plain
  const number = Number(port)
  if (!host || number < 1 || number > 65_535) {
    throw new Refusal(exitCodes.usage, `${option} takes HOST:PORT, not ${text}`)
  }
  return { option, host, port: number, text }
}

function count(option, text) {
  if (!/^\d{1,6}$/.test(text)) throw new Refusal(exitCodes.usage, `${option} takes a number of hosts, not ${text}`)
  return Number(text)
}
