import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync } from 'node:fs'

const MIB = 1_048_576

/** An ext4 image with what is in the directory, to be read only: nothing is mounted for it. */
export function makeFilesystem(image, { from }) {
  const counted = (unit) => Number(execFileSync('du', ['--summarize', unit, from], { encoding: 'utf8' }).split('\t')[0])
  const file = openSync(image, 'w')
  ftruncateSync(file, Math.ceil(counted('--block-size=1M') * 1.1 + 32) * MIB)
  closeSync(file)
  const inodes = String(counted('--inodes') + 1_000)
  const options = ['-O', '^has_journal', '-m', '0', '-N', inodes, '-E', 'lazy_itable_init=1,root_owner=0:0', '-d', from]
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', ...options, image], { stdio: ['ignore', 'ignore', 'inherit'] })
}
