/** Mounting for real needs root. Left out loudly elsewhere; where CI says that it must run, its absence is a failure. */
export const describeAsRoot: (name: string, body: () => void) => void = isRoot()
  ? describe
  : (name, body) => {
      if (process.env.CI === 'true') it(`${name} (needs root)`, () => expect('root').toBe('missing'))
      else {
        process.stderr.write(`\n*** LEFT OUT, not root: ${name}\n`)
        // biome-ignore lint/suspicious/noSkippedTests: there is nothing to run it on, and the line above says so
        describe.skip(name, body)
      }
    }

function isRoot(): boolean {
  return process.getuid?.() === 0
}
