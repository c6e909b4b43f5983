import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { archive, deviceEntry, directoryEntry, fileEntry } from './archive.mjs'

const places = ['dev', 'proc', 'modules', 'lower', 'upper', 'root']

/** What the kernel unpacks and starts `/init` of: the shell, modules, and `early`. */
export function writeInitramfs(path, { early, init }) {
  const modules = readdirSync(early).filter((name) => name.endsWith('.ko'))
  writeFileSync(
    path,
    archive([
      ...places.map(directoryEntry),
      // nothing is mounted yet when the first process wants to say something
      deviceEntry('dev/console', [5, 1]),
      fileEntry('busybox', readFileSync(join(early, 'busybox'))),
      ...modules.sort().map((name) => fileEntry(`modules/${name}`, readFileSync(join(early, name)))),
      fileEntry('init', readFileSync(init)),
    ]),
  )
  return statSync(path).size
}
