import { FaultError } from '../../fault.js'
import { layerFault } from './faults.js'
import type { StorageFiles } from './storage-files.js'

export interface DiskInfo {
  readonly virtualBytes: number
  readonly format: string
  /** Another file that it stands on. */
  readonly backing: string | null
  /** Another file that its content is in. */
  readonly dataFile: string | null
}

interface Told {
  readonly 'virtual-size': number
  readonly format: string
  readonly 'backing-filename'?: string
  readonly 'format-specific'?: { readonly data?: { readonly 'data-file'?: string } }
}

/** What a file is, taken for what it is said to be, and nothing else: a raw one may say anything. */
export async function diskInfo(
  files: StorageFiles,
  { path, format }: { readonly path: string; readonly format: string },
  signal: AbortSignal,
): Promise<DiskInfo> {
  const args = ['info', '-U', '-f', format, '--output=json', path]
  const told = JSON.parse(await files.must('qemu-img', args, signal, 60_000)) as Told
  return {
    virtualBytes: told['virtual-size'],
    format: told.format,
    backing: told['backing-filename'] ?? null,
    dataFile: told['format-specific']?.data?.['data-file'] ?? null,
  }
}

/** @throws FaultError of `image-bad` where it names files of the host's */
export async function requireWhole(
  files: StorageFiles,
  file: { readonly path: string; readonly format: string },
  signal: AbortSignal,
): Promise<DiskInfo> {
  const info = await diskInfo(files, file, signal).catch((error: unknown) => {
    throw error instanceof FaultError ? layerFault('image-bad', error.message) : error
  })
  const other = info.backing ?? info.dataFile
  if (other !== null) throw layerFault('image-bad', `the image stands on another file, ${other}`)
  return info
}
