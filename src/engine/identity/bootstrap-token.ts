import { access } from 'node:fs/promises'
import type { Logger } from '../../log/logger.js'
import type { Database } from '../platform/database.js'
import { replacePrivateFile } from '../platform/private-file.js'
import { administratingService, issueToken } from './api-tokens.js'

const SERVICE = 'bootstrap'

/**
 * Writes an administrator's token to a file of mode 0600, for programs that set a plane up. Only where no such file is:
 * whoever removes it has a new token written at the next start, and the earlier one ends.
 */
export async function writeBootstrapToken(
  database: Database,
  path: string,
  logger: Pick<Logger, 'info'>,
): Promise<void> {
  if (await exists(path)) return
  const text = await database.transaction(async (tx) => {
    const userId = await administratingService(tx, SERVICE)
    await tx.query('UPDATE api_tokens SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL', [userId])
    return (await issueToken(tx, { userId, name: SERVICE, unlimited: true })).text
  })
  await replacePrivateFile(path, `${text}\n`)
  logger.info({ path }, "an administrator's token was written")
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
