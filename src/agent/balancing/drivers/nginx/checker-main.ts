import { createInterface } from 'node:readline'
import { Checker, type StartedCheck } from './checker.js'

/**
 * Checks the members of one balancer from within its network namespace: a line with all checks comes in, a line for each
 * finding goes out. Ends with the agent that reads them.
 */
const checker = new Checker((finding) => process.stdout.write(`${JSON.stringify(finding)}\n`))

process.stdout.on('error', () => process.exit(0))
createInterface({ input: process.stdin })
  // the agent's own words
  .on('line', (line) => checker.set(JSON.parse(line) as StartedCheck[]))
  .on('close', () => process.exit(0))
