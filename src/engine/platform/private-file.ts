import { randomBytes } from 'node:crypto'
import { link, open, rename, unlink } from 'node:fs/promises'

/** For its owner alone, and whole or not at all; over one that is there. */
export const replacePrivateFile = (path: string, text: string): Promise<void> =>
  besides(path, text, (partial) => rename(partial, path))

/** As `replacePrivateFile`, but never over one that is there. @returns whether it was made */
export async function makePrivateFile(path: string, text: string): Promise<boolean> {
  let made = true
  await besides(path, text, async (partial) => {
    await link(partial, path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      made = false
    })
    await unlink(partial)
  })
  return made
}

async function besides(path: string, text: string, place: (partial: string) => Promise<void>): Promise<void> {
  // a name that nobody has put a link at, and a file that only we have opened
  const partial = `${path}.${randomBytes(6).toString('hex')}.partial`
  const file = await open(partial, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
    await place(partial)
  } catch (error) {
    await unlink(partial).catch(() => undefined)
    throw error
  } finally {
    await file.close()
  }
}
