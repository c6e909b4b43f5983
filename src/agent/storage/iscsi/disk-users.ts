import { join } from 'node:path'
import { type Mount, readMounts } from '../../host/mounts.js'
import { type Run, wordsOf } from '../../host/run.js'
import { disconnectFailed, StuckError } from '../faults.js'
import { attributeIn, names } from './sessions.js'

export interface BlockDevice {
  /** `sda`, `sda1`, `dm-0`. */
  readonly name: string
  /** `major:minor`, as in mountinfo. */
  readonly number: string | null
}

/** A device of multipath(8) over disks of one or more sessions. */
export interface MultipathMap extends BlockDevice {
  /** `mpatha` */
  readonly mapName: string
}

export interface DiskStack {
  /** The disks, their partitions and all that stands on them. */
  readonly devices: readonly BlockDevice[]
  /** Maps that have no path but these disks: they go with them. */
  readonly maps: readonly MultipathMap[]
  /** What holds the disks and does not go by itself: `sda1 is held by dm-3 (vg-root)`. */
  readonly holders: readonly string[]
}

const LOOK_MS = 10_000

/** What stands on these disks. A map that has other paths loses these and lives on: it is none of ours. */
export async function stackOn(sysRoot: string, disks: readonly string[]): Promise<DiskStack> {
  const stack = { devices: [] as BlockDevice[], maps: [] as MultipathMap[], holders: [] as string[] }
  const seen = new Set<string>()
  const add = async (name: string): Promise<void> => {
    if (seen.has(name)) return
    seen.add(name)
    const directory = join(sysRoot, 'class/block', name)
    stack.devices.push({ name, number: await attributeIn(join(directory, 'dev')) })
    for (const partition of await partitionsOf(directory, name)) await add(partition)
    for (const holder of await names(join(directory, 'holders'))) {
      const map = await multipathMap(sysRoot, holder)
      if (map === null) stack.holders.push(`${name} is held by ${await holderName(sysRoot, holder)}`)
      else if (!map.paths.every((path) => disks.includes(path))) continue
      else if (!seen.has(holder)) stack.maps.push(map)
      await add(holder)
    }
  }
  for (const disk of disks) await add(disk)
  return stack
}

/** Who uses the stack; the first one found, in words, or null. @throws FaultError when that cannot be told, StuckError */
export async function userOf(stack: DiskStack, run: Run, mounts = readMounts): Promise<string | null> {
  const mount = (await mounts()).find((candidate) => isOn(stack, candidate))
  if (mount !== undefined) return `${mount.source} is mounted on ${mount.mountPoint}`
  if (stack.holders.length > 0) return stack.holders[0]!
  return openBy(stack, run)
}

/** btrfs shows a number of its own: there the source tells. */
function isOn({ devices, maps }: DiskStack, mount: Mount): boolean {
  return (
    devices.some(({ name, number }) => mount.device === number || mount.source === `/dev/${name}`) ||
    maps.some(({ mapName }) => mount.source === `/dev/mapper/${mapName}`)
  )
}

/**
 * Guests' disks are open and not mounted. In a child: there may be very many descriptors. A look that was cut short has not
 * seen who has not been found.
 */
async function openBy({ devices, maps }: DiskStack, run: Run): Promise<string | null> {
  const paths = [...devices.map(({ name }) => `/dev/${name}`), ...maps.map(({ mapName }) => `/dev/mapper/${mapName}`)]
  const links = paths.flatMap((path) => ['-o', '-lname', path]).slice(1)
  const args = ['/proc', '-maxdepth', '3', '-path', '/proc/[0-9]*/fd/*', '(', ...links, ')', '-printf', '%p %l\\n']
  const result = await run('find', args, { deadlineMs: LOOK_MS })
  if (result.outcome === 'unkillable') throw new StuckError(`find ${wordsOf(result)}`, result.ended)
  const seen = result.outcome === 'not-started' ? '' : result.stdout
  for (const [, pid, device] of seen.matchAll(/^\/proc\/(\d+)\/fd\/\d+ (\S+)$/gm)) {
    const program = await attributeIn(`/proc/${pid}/comm`)
    if (program !== null && !watchers.has(program)) return `${device} is open in ${program}, process ${pid}`
  }
  if (result.outcome === 'exited') return null
  throw disconnectFailed(`it cannot be told who has ${paths.join(', ')} open: find ${wordsOf(result)}`)
}

/** They look at every disk, and let go of it by themselves. */
const watchers: ReadonlySet<string> = new Set([
  '(udev-worker)',
  'blkid',
  'iscsid',
  'multipathd',
  'smartd',
  'systemd-udevd',
  'udevadm',
  'udevd',
])

async function partitionsOf(directory: string, disk: string): Promise<string[]> {
  return (await names(directory)).filter((name) => name.startsWith(disk) && /^p?\d+$/.test(name.slice(disk.length)))
}

async function multipathMap(sysRoot: string, name: string): Promise<(MultipathMap & { paths: string[] }) | null> {
  const directory = join(sysRoot, 'class/block', name)
  const uuid = await attributeIn(join(directory, 'dm/uuid'))
  const mapName = await attributeIn(join(directory, 'dm/name'))
  if (!uuid?.startsWith('mpath-') || mapName === null) return null
  const number = await attributeIn(join(directory, 'dev'))
  return { name, mapName, number, paths: await names(join(directory, 'slaves')) }
}

async function holderName(sysRoot: string, name: string): Promise<string> {
  const mapName = await attributeIn(join(sysRoot, 'class/block', name, 'dm/name'))
  return mapName === null ? name : `${name} (${mapName})`
}
