import { ExitError, exitCodes } from './exit.js'
import { completions, keysOf, type ProgramName, type Programs } from './programs.js'
import { gather, type Request, thisMachine, wrongValue } from './sources.js'

/** A key's value and where it comes from. */
export interface Setting {
  readonly value: unknown
  readonly source: string
}

export interface Settings {
  readonly values: ReadonlyMap<string, Setting>
  readonly faults: readonly string[]
}

/** A program's whole configuration; all that is wrong with it at once ends the program with 78. */
export function loadConfig<P extends ProgramName>(program: P, request: Request = {}): Programs[P] {
  const { values, faults } = readSettings(program, request)
  if (faults.length > 0) throw misconfigured(program, faults)
  const config = Object.fromEntries([...values].map(([name, { value }]) => [name, value]))
  // the table of keys is typed by this very interface: every field has been parsed by its key
  return completions[program](config as unknown as Programs[P], request.surroundings ?? thisMachine())
}

/** Some of a program's keys, for a command that needs no more; what is wrong with the others does not matter to it. */
export function loadKeys<P extends ProgramName, K extends string & keyof Programs[P]>(
  program: P,
  names: readonly K[],
  request: Request = {},
): Pick<Programs[P], K> {
  const { values, faults } = readSettings(program, request)
  if (names.some((name) => !values.has(name))) throw misconfigured(program, faults)
  // see loadConfig
  return Object.fromEntries(names.map((name) => [name, values.get(name)?.value])) as unknown as Pick<Programs[P], K>
}

/** Every key's value in force, also where some are wrong. */
export function readSettings(program: ProgramName, request: Request = {}): Settings {
  const gathered = gather(program, request)
  const surroundings = request.surroundings ?? thisMachine()
  const values = new Map<string, Setting>()
  const faults = [...gathered.faults]
  for (const [name, key] of keysOf(program)) {
    const given = gathered.given.get(name)
    const value = given ? key.parse(given.text) : key.fallback?.(surroundings)
    if (value !== undefined) values.set(name, { value, source: given?.source ?? 'default' })
    else faults.push(given ? wrongValue(name, key, given) : `${name} (${key.env}) must be set: ${key.expects}`)
  }
  return { values, faults }
}

function misconfigured(program: ProgramName, faults: readonly string[]): ExitError {
  const lines = faults.map((fault) => `  ${fault}`)
  return new ExitError(
    exitCodes.configuration,
    [`keelson ${program} cannot start with this configuration:`, ...lines].join('\n'),
  )
}
