import { Argument, type Command } from 'commander'
import { describeKeys, describeSettings } from '../config/describe.js'
import { exitCodes } from '../config/exit.js'
import { readSettings } from '../config/load.js'
import { type ProgramName, programNames } from '../config/programs.js'

export function configCommand(parent: Command): void {
  parent
    .command('config')
    .description('print every key with default and meaning, and the values in force')
    .addArgument(new Argument('[program]', 'whose; all without').choices(programNames))
    .option('--config <file>', 'JSON file of keys; also KEELSON_CONFIG')
    .option('--check', 'exit with 78 where something is wrong')
    .action((program: ProgramName | undefined, { config: file, check }: { config?: string; check?: boolean }) => {
      const chosen = program ? [program] : programNames
      for (const name of chosen) {
        console.log(`keelson ${name}\n${describeKeys(name)}\n\n${describeSettings(name, { file })}\n`)
      }
      const wrong = chosen.some((name) => readSettings(name, { file }).faults.length > 0)
      if (check && wrong) process.exitCode = exitCodes.configuration
    })
}
