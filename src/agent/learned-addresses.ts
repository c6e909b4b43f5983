import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomically } from './host/write-file.js'

const pathIn = (stateDir: string): string => join(stateDir, 'addresses.json')

/** The addresses that welcomes told of. A convenience: what cannot be read is learned anew. */
export async function readLearnedAddresses(stateDir: string): Promise<string[]> {
  try {
    const addresses: unknown = JSON.parse(await readFile(pathIn(stateDir), 'utf8'))
    return Array.isArray(addresses) ? addresses.filter((address) => typeof address === 'string') : []
  } catch {
    return []
  }
}

export function writeLearnedAddresses(stateDir: string, addresses: readonly string[]): Promise<void> {
  return writeFileAtomically(pathIn(stateDir), `${JSON.stringify(addresses)}\n`)
}
