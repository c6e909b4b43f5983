import type { CommandKind, StorageManage } from '../../wire/commands.js'
import type { Host } from '../hosts/host.entity.js'
import { Conflict } from '../platform/errors.js'
import type { StorageConnection } from './storage-connection.entity.js'

export type Wanted = Pick<StorageConnection, 'uri' | 'options' | 'sealedCredentials' | 'credentialNames'>

export const intentOf = (row: Pick<StorageConnection, 'connectionId' | 'uri' | 'options'>): StorageManage => ({
  connectionId: row.connectionId,
  uri: row.uri,
  options: row.options,
})

export function sameIntent(row: StorageConnection, wanted: Pick<Wanted, 'uri' | 'options'>): boolean {
  const keys = Object.keys(wanted.options)
  return (
    row.uri === wanted.uri &&
    keys.length === Object.keys(row.options).length &&
    keys.every((key) => row.options[key] === wanted.options[key])
  )
}

/** @throws Conflict when the agent that is known of the host does not carry it out */
export function requireAble(
  host: Pick<Host, 'name' | 'agentId'> & { readonly kinds: readonly string[] },
  kind: CommandKind,
): void {
  if (host.agentId !== null && !host.kinds.includes(kind)) {
    throw new Conflict(`the agent of ${host.name} does not understand ${kind}: update it`, 'unsupported-by-host')
  }
}
