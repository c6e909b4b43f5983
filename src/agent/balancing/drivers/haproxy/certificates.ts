import { createHash } from 'node:crypto'
import type { LoadBalancerIntent } from '../../../../wire/balancing/intent.js'
import { invalid } from './words.js'

const NAME_CHARS = 16

/** What TLS needs beside the configuration. Names tell of the content, so that a new content is a new configuration. */
export interface CertificateFiles {
  /** Content by path, keys among it. */
  readonly files: ReadonlyMap<string, string>
  /** The crt-list of each listener that has certificates, by the listener's id. */
  readonly crtLists: ReadonlyMap<string, string>
}

export const CERTIFICATES = 'certificates'

/** HAProxy takes the first of a list for who names no server, or an unknown one. */
export function certificateFiles(
  { listeners, certificates }: LoadBalancerIntent,
  keys: Readonly<Record<string, string>>,
): CertificateFiles {
  const chains = new Map(certificates.map(({ id, chainPem }) => [id, chainPem]))
  const files = new Map<string, string>()
  const crtLists = new Map<string, string>()
  for (const { id, protocol, certificateIds } of listeners) {
    if (protocol !== 'TERMINATED_HTTPS' || certificateIds.length === 0) continue
    const lines = certificateIds.map((certificateId) => {
      const [chain, key] = [chains.get(certificateId), keys[certificateId]]
      if (!chain || !key) throw invalid(`listener ${id}: certificate ${certificateId} is not there, or has no key`)
      const content = `${chain.trimEnd()}\n${key.trimEnd()}\n`
      const path = `${CERTIFICATES}/${certificateId}-${digest(content)}.pem`
      files.set(path, content)
      return path
    })
    const content = `${lines.join('\n')}\n`
    const path = `${CERTIFICATES}/${id}-${digest(content)}.list`
    files.set(path, content)
    crtLists.set(id, path)
  }
  return { files, crtLists }
}

const digest = (content: string): string => createHash('sha256').update(content).digest('hex').slice(0, NAME_CHARS)
