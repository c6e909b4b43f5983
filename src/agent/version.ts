import { readFileSync } from 'node:fs'

interface Package {
  readonly name?: string
  readonly version?: string
}

/** The version of the package that this file, as a source or as a build, belongs to. */
export function agentVersion(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    const found = readPackage(new URL(up, import.meta.url))
    if (found?.name === 'keelson' && found.version !== undefined) return found.version
  }
  return 'unknown'
}

function readPackage(url: URL): Package | null {
  try {
    return JSON.parse(readFileSync(url, 'utf8')) as Package
  } catch {
    return null
  }
}
