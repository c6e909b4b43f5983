import { readFile } from 'node:fs/promises'

/** One line of /proc/self/mountinfo (proc(5)). */
export interface Mount {
  /** `major:minor` of the filesystem. */
  readonly device: string
  /** The directory of the filesystem that is the root of this mount: what was bound, for a bind mount. */
  readonly root: string
  readonly mountPoint: string
  readonly options: readonly string[]
  readonly fsType: string
  readonly source: string
  readonly superOptions: readonly string[]
}

/** The file behind a loop device; null: it is none, or has none. */
export async function backingFileOf(device: string): Promise<string | null> {
  const [, name] = /^\/dev\/(loop\d+)$/.exec(device) ?? []
  if (name === undefined) return null
  const file = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '')
  return file === '' ? null : file.replace(/\n$/, '').replace(/ \(deleted\)$/, '')
}

/** Reading the table touches no mount: it answers while all of them hang. The last of equal mount points is on top. */
export async function readMounts(): Promise<Mount[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'))
}

export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ')
    const dash = fields.indexOf('-', 6)
    if (dash === -1 || fields.length < dash + 4) return []
    const [, , device, root, mountPoint, options] = fields as [string, string, string, string, string, string]
    const [fsType, source, superOptions] = fields.slice(dash + 1) as [string, string, string]
    return {
      device,
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      options: options.split(','),
      fsType: unescapeOctal(fsType),
      source: unescapeOctal(source),
      superOptions: superOptions.split(','),
    }
  })
}

/** Blank, tab, newline and backslash are written as three octal digits; other bytes stand for themselves. */
const unescapeOctal = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
