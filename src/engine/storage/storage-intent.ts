import { type CommandKind, type StorageManage, storageSubject } from '../../wire/commands.js'
import type { NewCommand } from '../commands/commands.service.js'
import type { Host } from '../hosts/host.entity.js'
import { Conflict } from '../platform/errors.js'
import type { CredentialTexts } from './credentials.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { eventOf, type Told } from './storage-connection.events.js'
import { incapable } from './storage-rules.js'

export type Wanted = Pick<StorageConnection, 'uri' | 'options' | 'sealedCredentials' | 'credentialNames'>

type AbleHost = Pick<Host, 'name' | 'agentId'> & { readonly kinds: readonly string[] }
/** What has to be known of a host before it is asked for a connection. */
export type AskedHost = Pick<Host, 'name' | 'agentId' | 'kinds' | 'capabilities' | 'facts'>

export const intentOf = (row: Pick<StorageConnection, 'connectionId' | 'uri' | 'options'>): StorageManage => ({
  connectionId: row.connectionId,
  uri: row.uri,
  options: row.options,
})

/** @throws Conflict when the agent that is known of the host does not carry it out */
export function requireAble(host: AbleHost, kind: CommandKind): void {
  const fault = notUnderstood(host, kind)
  if (fault) throw fault
}

/** Why a host is not to be asked for what this URI names; null: nothing is known against it. */
export const obstacleOn = (host: AskedHost, uri: string): Conflict | null =>
  notUnderstood(host, 'storage.manage') ?? incapable(host, uri)

function notUnderstood({ name, agentId, kinds }: AbleHost, kind: CommandKind): Conflict | null {
  if (agentId === null || kinds.includes(kind)) return null
  return new Conflict(`the agent of ${name} does not understand ${kind}: update it`, 'unsupported-by-host')
}

/** @param credentials as they are told to the host */
export const manageOf = (
  row: Told & Pick<Wanted, 'uri' | 'options'>,
  id: string,
  credentials: CredentialTexts,
): NewCommand<'storage.manage'> => ({
  id,
  kind: 'storage.manage',
  hostId: row.hostId,
  projectId: row.projectId,
  subject: storageSubject(row.connectionId),
  generation: row.generation,
  payload: intentOf(row),
  ...(Object.keys(credentials).length > 0 ? { secrets: { credentials: { ...credentials } } } : {}),
  events: [eventOf('storage.connection.requested', row)],
})
