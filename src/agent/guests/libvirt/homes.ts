import { chmod, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** QEMU may run as a user of its own: it passes through, and lists nothing. */
const PASSAGE = 0o711

/** What this host keeps of each guest beside libvirt's definition: console, seed, definition as it was told. */
export class Homes {
  readonly root: string

  constructor(private readonly stateDir: string) {
    this.root = join(stateDir, 'libvirt')
  }

  readonly home = (guestId: string): string => join(this.root, guestId)
  readonly console = (guestId: string): string => join(this.home(guestId), 'console.log')
  readonly seed = (guestId: string): string => join(this.home(guestId), 'seed.iso')
  readonly definition = (guestId: string): string => join(this.home(guestId), 'domain.xml')
  /** There while the file systems in the guest are frozen. */
  readonly frozen = (guestId: string): string => join(this.home(guestId), 'frozen')

  async prepare(): Promise<void> {
    await mkdir(this.root, { recursive: true, mode: PASSAGE })
    for (const path of [this.stateDir, this.root]) await letPass(path)
  }

  async make(guestId: string): Promise<string> {
    await this.prepare()
    const home = this.home(guestId)
    await mkdir(home, { recursive: true, mode: PASSAGE })
    await letPass(home)
    return home
  }

  /** @returns whether there was one */
  async remove(guestId: string): Promise<boolean> {
    const was = await stat(this.home(guestId)).then(
      () => true,
      () => false,
    )
    await rm(this.home(guestId), { recursive: true, force: true })
    return was
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.root).catch(() => [] as string[])
    return names.filter((name) => ID.test(name))
  }
}

async function letPass(path: string): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o011) !== 0o011) await chmod(path, (mode & 0o777) | 0o011)
}
