import { existsSync } from 'node:fs'
import { describeAsRoot } from '../../agent/support/root.js'

const places = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** What is missing is a failure in CI, and left out loudly elsewhere. */
export function describeWith(programs: readonly string[], name: string, body: () => void): void {
  const missing = programs.filter((program) => !places.some((place) => existsSync(`${place}/${program}`)))
  if (missing.length === 0) {
    describeAsRoot(name, body)
    return
  }
  const why = `${name} (needs ${missing.join(', ')})`
  if (process.env.CI === 'true') it(why, () => expect(missing).toEqual([]))
  else {
    process.stderr.write(`\n*** LEFT OUT: ${why}\n`)
    // biome-ignore lint/suspicious/noSkippedTests: there is nothing to run it with, and the line above says so
    describe.skip(name, body)
  }
}
