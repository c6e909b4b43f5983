import { execFileSync } from 'node:child_process'
import { chownSync, cpSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fromRoot } from '../../support/process.js'

/** Of a repository whose work is not yet all committed: what a clone would have after the commit. */
export function cloneWorkingTree(to: string): void {
  const root = fromRoot('.')
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root })
  for (const file of files.toString('utf8').split('\0').filter(Boolean)) {
    mkdirSync(join(to, dirname(file)), { recursive: true })
    // a file that is in the index and no more on disk
    cpSync(join(root, file), join(to, file), { force: true, errorOnExist: false, recursive: false })
  }
}

/** Everything below belongs to this user from now on. */
export function giveTo(uid: number, directory: string): void {
  chownSync(directory, uid, uid)
  for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' }))
    chownSync(join(directory, entry), uid, uid)
}
