import { join } from 'node:path'
import type { Surroundings } from './key.js'

/** Where a program keeps its state: the system's place for root, the user's own for everybody else. */
export function stateDirectory(name: string, { env, uid }: Surroundings): string {
  if (uid === 0) return join('/var/lib', name)
  return join(env.XDG_STATE_HOME || join(env.HOME || '/', '.local', 'state'), name)
}
