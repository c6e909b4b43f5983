import { readFile } from 'node:fs/promises'
import type { AgentConfig } from './config.js'
import { enrol } from './enrol.js'
import { type HostIdentity, identityPath, readIdentity, writeIdentity } from './identity.js'
import { JoinError } from './join-error.js'
import type { Logger } from './logger.js'
import { lockStateDirectory } from './state-lock.js'

type JoinConfig = Pick<AgentConfig, 'name' | 'stateDir'>
type TokenSources = Pick<AgentConfig, 'joinToken' | 'joinTokenFile'>

/**
 * Makes this machine a host: `keelson agent join`. An identity that is there stays unless `force`.
 * @throws JoinError, StateDirectoryError
 */
export async function joinPlane(
  { name, stateDir }: JoinConfig,
  token: string,
  { force }: { readonly force: boolean },
): Promise<HostIdentity> {
  const lock = await lockStateDirectory(stateDir)
  try {
    const known = await readIdentity(lock.stateDir).catch((error: unknown) => {
      if (force) return null
      throw error
    })
    if (known && !force) {
      throw new JoinError(
        78,
        `this machine is host ${known.name} already (${identityPath(stateDir)}): --force joins anew`,
      )
    }
    const identity = await enrol(name, token)
    await writeIdentity(lock.stateDir, identity)
    return identity
  } finally {
    await lock.release()
  }
}

/** The identity in the directory, which is locked; without one, the host joins if it was told how. @throws JoinError */
export async function identityOrJoin(
  stateDir: string,
  config: TokenSources & JoinConfig,
  logger: Logger,
): Promise<HostIdentity> {
  const known = await readIdentity(stateDir)
  if (known) return known
  const token = await configuredToken(config)
  if (token === null) {
    throw new JoinError(
      78,
      `this machine is no host yet (${identityPath(stateDir)} does not exist): make a join token with ` +
        'POST /api/v1/hosts/join-tokens, and run `keelson agent join`, or set joinTokenFile (KEELSON_JOIN_TOKEN_FILE)',
    )
  }
  const identity = await enrol(config.name, token)
  await writeIdentity(stateDir, identity)
  logger.info({ host: identity.name, hostId: identity.hostId }, 'this machine has joined the plane')
  return identity
}

/** Null: none was configured. @throws JoinError when its file cannot be read */
export async function configuredToken({ joinToken, joinTokenFile }: TokenSources): Promise<string | null> {
  if (joinToken !== null) return joinToken.trim()
  return joinTokenFile === null ? null : readTokenFile(joinTokenFile)
}

export async function readTokenFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (cause) {
    throw new JoinError(78, `the join token file ${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
}
