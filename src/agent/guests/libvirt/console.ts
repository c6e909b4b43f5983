import { open } from 'node:fs/promises'
import { storableText } from '../../../wire/text.js'

const PANIC = /^.*Kernel panic - not syncing.*$/gm
const BOOT = /Linux version /g
/** What a panic prints fits in it. */
const LOOK_BYTES = 32_768

/** The end of what a guest has written to its serial console; empty: nothing yet. It lies on the host's own disk. */
export async function readConsole(path: string, chars: number): Promise<string> {
  const handle = await open(path, 'r').catch(unlessMissing)
  if (handle === null) return ''
  try {
    const { size } = await handle.stat()
    const bytes = Math.min(size, chars * 4)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, size - bytes)
    const text = buffer.toString('utf8', 0, bytesRead).replace(/^\uFFFD+/, '')
    return storableText(text.slice(-chars))
  } finally {
    await handle.close()
  }
}

/** The kernel's last words, if it has ended in a panic and nothing has booted since; null: it has not. */
export async function panicOn(path: string): Promise<string | null> {
  const text = await readConsole(path, LOOK_BYTES)
  const panic = [...text.matchAll(PANIC)].at(-1)
  if (panic === undefined) return null
  const booted = [...text.matchAll(BOOT)].at(-1)
  return booted !== undefined && booted.index > panic.index ? null : panic[0].trim()
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}
