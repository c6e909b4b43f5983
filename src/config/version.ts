import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** This build's version, from the package.json above it: two directories up from the sources, three from dist. */
export const version: string = readVersion(dirname(fileURLToPath(import.meta.url)))

function readVersion(directory: string): string {
  const file = join(directory, 'package.json')
  if (!existsSync(file)) return readVersion(dirname(directory))
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return version
}
