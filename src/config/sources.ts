import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Surroundings } from './key.js'
import { flagOf, type Key } from './key.js'
import { keysOf, knownVariables, type ProgramName, programNames } from './programs.js'
import { didYouMean } from './suggest.js'

/** A value as it was given, and by what. A higher rank wins. */
export interface Given {
  readonly text: string
  readonly source: string
  readonly rank: 1 | 2 | 3
}

export interface Request {
  /** Of the command line, by key name. */
  readonly flags?: Readonly<Record<string, string | undefined>>
  /** Of the command line's --config; else KEELSON_CONFIG names it. */
  readonly file?: string
  readonly surroundings?: Surroundings
}

export interface Gathered {
  readonly given: ReadonlyMap<string, Given>
  readonly faults: readonly string[]
}

export function thisMachine(): Surroundings {
  return { env: process.env, uid: process.getuid?.() ?? -1, hostname: hostname() }
}

/** All that was said to a program, the strongest source of each key, and what was said that nobody understands. */
export function gather(program: ProgramName, { flags = {}, file, surroundings = thisMachine() }: Request): Gathered {
  const keys = keysOf(program)
  const faults: string[] = []
  const path = file ?? surroundings.env.KEELSON_CONFIG
  const given = new Map(path ? readConfigFile(path, program, faults) : [])
  for (const [name, { env }] of keys) {
    const text = surroundings.env[env]
    if (text) given.set(name, { text, source: env, rank: 2 })
  }
  for (const name of keys.keys()) {
    const text = flags[name]
    if (text !== undefined) given.set(name, { text, source: flagOf(name), rank: 3 })
  }
  faults.push(...unknownVariables(surroundings))
  return { given, faults }
}

function readConfigFile(path: string, program: ProgramName, faults: string[]): [string, Given][] {
  const keys = keysOf(program)
  const settings: [string, Given][] = []
  for (const [name, value] of Object.entries(parseObject(path, faults))) {
    const key = keys.get(name)
    const text = textOf(value)
    if (!key) faults.push(`${path}: unknown key ${name}${hintFor(name, program, [...keys.keys()])}`)
    else if (text === undefined) faults.push(`${path}: ${name} is ${JSON.stringify(value)}, expected ${key.expects}`)
    else settings.push([name, { text, source: path, rank: 1 }])
  }
  return settings
}

function parseObject(path: string, faults: string[]): object {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content
    faults.push(`${path}: expected a JSON object of keys and values`)
  } catch (error) {
    faults.push(`${path}: ${(error as Error).message}`)
  }
  return {}
}

/** Keys parse text; in a file, numbers and lists may be written as such. */
function textOf(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string') ? value.join(',') : undefined
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined
}

function hintFor(name: string, program: ProgramName, known: readonly string[]): string {
  const other = programNames.find((candidate) => candidate !== program && keysOf(candidate).has(name))
  return other ? `: it belongs to keelson ${other}` : didYouMean(name, known)
}

function unknownVariables({ env }: Surroundings): string[] {
  const known = knownVariables()
  return Object.keys(env)
    .filter((name) => name.startsWith('KEELSON_') && !known.includes(name))
    .map((name) => `unknown variable ${name}${didYouMean(name, known)}`)
}

/** One fault's words; a secret is not repeated in them. */
export function wrongValue(name: string, key: Key<unknown>, { text, source }: Given): string {
  return `${name} (${source}) is ${key.secret ? 'not' : `${JSON.stringify(text)}, expected`} ${key.expects}`
}
