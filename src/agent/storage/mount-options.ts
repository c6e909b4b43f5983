import type { StorageOptions } from '../../wire/storage/arguments.js'

/** Nothing on a storage connection gives anybody rights on the host. */
const always = ['nosuid', 'nodev'] as const

/** What goes behind `mount -o`, sorted. The options have been checked by the scheme's rules. */
export function mountOptions(options: StorageOptions): string[] {
  const words = Object.entries(options).map(([name, value]) => (value === '' ? name : `${name}=${value}`))
  return [...new Set([...words, ...always])].sort()
}
