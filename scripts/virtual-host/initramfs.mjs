import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIRECTORY = 0o040755
const FILE = 0o100755
const DEVICE = 0o020600
const places = ['dev', 'proc', 'modules', 'lower', 'upper', 'root']

/** What the kernel unpacks and starts `/init` of: the shell, modules, and `early`. */
export function writeInitramfs(path, { early, init }) {
  const modules = readdirSync(early).filter((name) => name.endsWith('.ko'))
  writeFileSync(
    path,
    Buffer.concat([
      ...places.map((name) => entry(name, DIRECTORY)),
      // nothing is mounted yet when the first process wants to say something
      entry('dev/console', DEVICE, Buffer.alloc(0), [5, 1]),
      entry('busybox', FILE, readFileSync(join(early, 'busybox'))),
      ...modules.sort().map((name) => entry(`modules/${name}`, FILE, readFileSync(join(early, name)))),
      entry('init', FILE, readFileSync(init)),
      entry('TRAILER!!!', 0),
    ]),
  )
  return statSync(path).size
}

let inode = 0

/** One file in the "newc" format of cpio (the kernel's buffer-format.rst): a header in hex, the name, the content. */
function entry(name, mode, content = Buffer.alloc(0), [major, minor] = [0, 0]) {
  inode += 1
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, major, minor, name.length + 1, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`
  return Buffer.concat([padded(Buffer.from(header)), padded(content)])
}

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
