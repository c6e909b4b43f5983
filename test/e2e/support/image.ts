import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fromRoot } from '../../support/process.js'

/** What a virtual host is booted from: files that are only read, shared by all. */
export interface Image {
  readonly kernel: string
  readonly initramfs: string
  /** Debian. */
  readonly system: string
  /** Node.js and Keelson as built. */
  readonly program: string
}

/** The first time on a machine, Debian is fetched. */
export const MAKING_MS = 400_000

/** Made where there is none that fits; seconds where there is. */
export async function findImage(): Promise<Image> {
  const { stdout } = await promisify(execFile)(process.execPath, [fromRoot('scripts/virtual-host.mjs')], {
    timeout: MAKING_MS,
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  return JSON.parse(stdout) as Image
}
