import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** The kernel's own list, with what it escapes undone. */
export function mountsBelow(directory) {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trimEnd()
    .split('\n')
    .map(readMount)
    .filter(({ point }) => point.startsWith(`${directory}/`))
}

/** proc(5): number, parent, device, root, point, options, optional fields, `-`, type, source. */
function readMount(line) {
  const [own, filesystem] = line.split(' - ')
  const [id, , , root, point] = own.split(' ').map(withoutEscapes)
  return { line, id, root, point, source: withoutEscapes(filesystem.split(' ')[1]) }
}

const withoutEscapes = (text) =>
  text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))

export function unmount(point, ...flags) {
  execFileSync('umount', [...flags, point], { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Lets go of every mount below the directory, and of loop devices over files in it: nothing may outlive a sandbox. */
export function releaseBelow(directory) {
  for (const { point } of mountsBelow(directory).reverse()) unmount(point, '-l')
  for (const device of loopDevicesOver(directory)) execFileSync('losetup', ['-d', device], { stdio: 'ignore' })
}

export function loopDevicesOver(directory) {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop') && backingFile(name)?.startsWith(`${directory}/`))
    .map((name) => `/dev/${name}`)
}

export function backingFile(name) {
  try {
    return readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim()
  } catch {
    return undefined
  }
}
