import { flagOf, type Key, type Surroundings } from './key.js'
import { readSettings } from './load.js'
import { keysOf, type ProgramName } from './programs.js'
import { type Request, thisMachine } from './sources.js'

/** A program's keys, all or those of `names`, each with its variable, flag, meaning and default. */
export function describeKeys(
  program: ProgramName,
  names: readonly string[] = [...keysOf(program).keys()],
  surroundings: Surroundings = thisMachine(),
): string {
  const chosen = [...keysOf(program)].filter(([name]) => names.includes(name))
  const keys = chosen.map(([name, key]) => {
    const flag = key.secret ? 'no flag: a secret is in no argv' : flagOf(name)
    return `  ${name}  ${key.env}  ${flag}\n      ${key.meaning}.\n      ${key.expects}; default: ${defaultText(key, surroundings)}`
  })
  return [
    'Keys, each in the JSON file of --config, as an environment variable (over the file) or as a flag (over both):',
    ...keys,
  ].join('\n')
}

/** The values in force and where each comes from; what is wrong with them after it. */
export function describeSettings(program: ProgramName, request: Request = {}): string {
  const { values, faults } = readSettings(program, request)
  const lines = [...keysOf(program)].map(([name, key]) => {
    const setting = values.get(name)
    if (!setting) return `  ${name} = (wrong or missing)`
    const usesDefaultText = setting.source === 'default' && key.fallbackText !== undefined
    return `  ${name} = ${usesDefaultText ? `(${key.fallbackText})` : key.show(setting.value)}  [${setting.source}]`
  })
  const wrong = faults.length > 0 ? ['What is wrong:', ...faults.map((fault) => `  ${fault}`)] : []
  return [`In force for keelson ${program}:`, ...lines, ...wrong].join('\n')
}

function defaultText(key: Key<unknown>, surroundings: Surroundings): string {
  if (key.fallbackText !== undefined) return key.fallbackText
  return key.fallback ? key.show(key.fallback(surroundings)) : '(required)'
}
