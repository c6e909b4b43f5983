import { readFileSync } from 'node:fs'

/** A trial that opens many connections says what it lacks, instead of failing somewhere in its middle. Node takes the hard limit. */
export function requireOpenFiles(count: number): void {
  const limit = Number(/^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  // "unlimited" is no number
  if (limit < count) {
    throw new Error(
      `this trial has up to ${count} files open at once, and ${limit} are allowed: raise the hard limit (ulimit -Hn ${count})`,
    )
  }
}
