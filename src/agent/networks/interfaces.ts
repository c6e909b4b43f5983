import { readdir, readFile, readlink, rm, stat, statfs } from 'node:fs/promises'
import { basename, join } from 'node:path'

const NET = '/sys/class/net'
const NAMESPACES = '/run/netns'
const NSFS = 0x6e736673
const UP = 1

/** An interface of the host as the kernel shows it. */
export interface Interface {
  readonly up: boolean
  readonly alias: string
  readonly group: number
  /** The bridge that it is a port of. */
  readonly master: string | null
  readonly isBridge: boolean
}

/** Null: there is none of that name. */
export async function readInterface(name: string): Promise<Interface | null> {
  const at = (file: string) => join(NET, name, file)
  try {
    const [flags, alias, group] = await Promise.all(
      ['flags', 'ifalias', 'netdev_group'].map(async (file) => (await readFile(at(file), 'utf8')).trim()),
    )
    const master = await readlink(at('master')).then(basename, () => null)
    return {
      up: (Number(flags) & UP) !== 0,
      alias: alias!,
      group: Number(group),
      master,
      isBridge: await isDirectory(at('bridge')),
    }
  } catch (error) {
    // ENODEV and EINVAL: it goes while it is read
    if (['ENOENT', 'ENODEV', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

/** Of a bridge that may be gone. */
export const portsOf = (bridge: string): Promise<string[]> => readdir(join(NET, bridge, 'brif')).catch(() => [])

/** Aliases of the interfaces whose names begin so. */
export async function aliasesOf(prefix: string): Promise<string[]> {
  const names = (await readdir(NET)).filter((name) => name.startsWith(prefix))
  const seen = await Promise.all(names.map(readInterface))
  return seen.flatMap((one) => (one === null || one.alias === '' ? [] : [one.alias]))
}

/** What a crash of ip(8) left of a namespace, a name for nothing, goes. */
export async function hasNamespace(name: string): Promise<boolean> {
  const path = join(NAMESPACES, name)
  const seen = await statfs(path).catch(() => null)
  if (seen === null) return false
  if (seen.type === NSFS) return true
  await rm(path, { force: true })
  return false
}

const isDirectory = (path: string): Promise<boolean> =>
  stat(path).then(
    (seen) => seen.isDirectory(),
    () => false,
  )
