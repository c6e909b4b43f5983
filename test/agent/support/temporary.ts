import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const endings: (() => Promise<unknown>)[] = []

/** Done after the test, the last one that was asked for first: who lives in a directory goes before it. */
export function whenTestEnds(work: () => Promise<unknown>): void {
  endings.push(work)
}

/** A directory of its own, removed when the test has ended. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'keelson-agent-')))
  whenTestEnds(() => rm(directory, { recursive: true, force: true }))
  return directory
}

afterEach(async () => {
  for (const work of endings.splice(0).reverse()) await work()
})
