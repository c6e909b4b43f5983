import { Command, Option } from 'commander'
import { describeKeys } from '../config/describe.js'
import { flagOf } from '../config/key.js'
import { keysOf, type ProgramName } from '../config/programs.js'
import type { Request } from '../config/sources.js'

/** Options as commander hands them over: each key's flag under the key's name. */
export type Options = Readonly<Record<string, string | boolean | undefined>>

/** Gives a command the flags of a program's keys, all of them or `names`, and the whole table in its help. */
export function withKeys(command: Command, program: ProgramName, names?: readonly string[]): Command {
  command.option('--config <file>', 'JSON file of keys; also KEELSON_CONFIG')
  for (const [name, key] of keysOf(program)) {
    if (key.secret || (names && !names.includes(name))) continue
    command.addOption(new Option(`${flagOf(name)} <value>`, key.meaning))
  }
  return command.addHelpText('after', () => `\n${describeKeys(program, names)}`)
}

/** What the command line says about the keys, for `loadConfig`. */
export function requestOf(options: Options): Request {
  const flags = Object.entries(options).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  const { config: file, ...rest } = Object.fromEntries(flags)
  return { flags: rest, file }
}
