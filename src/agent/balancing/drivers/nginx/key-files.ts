import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadBalancerIntent } from '../../../../wire/balancing/intent.js'
import { writeFileAtomically } from '../../../host/write-file.js'
import type { ServedCertificate } from './certificates.js'

type Certificates = ReadonlyMap<string, ServedCertificate>

const tls = (directory: string) => join(directory, 'tls')

/** Beside those that are in force: their names say what is in them. */
export async function writeKeys(
  directory: string,
  { certificates }: LoadBalancerIntent,
  served: Certificates,
  keys: Readonly<Record<string, string>>,
): Promise<void> {
  await mkdir(tls(directory), { recursive: true, mode: 0o700 })
  const there = new Set(await readdir(tls(directory)))
  for (const { id, chainPem } of certificates) {
    const file = served.get(id)?.file
    if (file === undefined || there.has(`${file}.key`)) continue
    await writeFileAtomically(join(tls(directory), `${file}.crt`), chainPem)
    // last: with it both are there
    await writeFileAtomically(join(tls(directory), `${file}.key`), keys[id]!)
  }
}

/** A key that nothing uses any more is on no disk. */
export async function pruneKeys(directory: string, served: Certificates): Promise<void> {
  const kept = new Set([...served.values()].flatMap(({ file }) => [`${file}.crt`, `${file}.key`]))
  for (const name of await readdir(tls(directory))) {
    if (!kept.has(name)) await rm(join(tls(directory), name), { force: true })
  }
}
