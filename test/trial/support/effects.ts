import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ground } from './ground.js'

export interface Effect {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly mountPoint: string
}

/** Stands before umount(8) in the agent's PATH and writes down each one that did its work: effects, counted outside. */
export class UnmountWitness {
  readonly path: string
  private readonly log: string

  constructor(ground: Ground) {
    const directory = ground.makeDirectory('witness')
    this.log = join(directory, 'log')
    const real = ['/usr/bin/umount', '/bin/umount'].find((program) => existsSync(program))
    const script = `#!/bin/sh
${real} "$@"
code=$?
for last; do :; done
[ $code -ne 0 ] || echo "$(date +%s%N) $last" >> ${this.log}
exit $code
`
    writeFileSync(join(directory, 'umount'), script)
    chmodSync(join(directory, 'umount'), 0o755)
    this.path = `${directory}:${process.env.PATH}`
  }

  effects(): Effect[] {
    if (!existsSync(this.log)) return []
    const lines = readFileSync(this.log, 'utf8').trimEnd().split('\n')
    const effects = lines.map((line) => {
      const space = line.indexOf(' ')
      return { at: Number(line.slice(0, space)) / 1e6, mountPoint: line.slice(space + 1) }
    })
    // an agent that starts asks for the version
    return effects.filter(({ mountPoint }) => mountPoint.startsWith('/'))
  }
}
