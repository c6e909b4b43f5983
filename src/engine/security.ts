import { hostname, networkInterfaces } from 'node:os'
import { isWildcard } from '../config/address.js'
import type { Logger } from '../log/logger.js'
import type { EngineConfig } from './config.js'
import { Authorities } from './identity/authorities.js'
import { readAuthorityFiles } from './identity/authority-files.js'
import { EngineCertificate } from './identity/engine-certificate.js'
import { TicketKeys } from './identity/ticket-keys.js'
import type { Database } from './platform/database.js'
import type { Notifications } from './platform/notifications.js'
import type { Sealer } from './platform/sealing.js'
import { type RestTls, restTls } from './rest-tls.js'

export interface SecurityParts {
  readonly database: Database
  readonly notifications: Notifications
  readonly sealer: Sealer
}

/** What this replica shows, whom it trusts, and what its two listeners need of both. */
export interface Security {
  readonly authorities: Authorities
  readonly certificate: EngineCertificate
  readonly ticketKeys: TicketKeys
  /** Null: REST is plain HTTP. */
  readonly rest: RestTls | null
  stop(): void
}

/** @throws ExitError where files are not what they should be */
export async function prepareSecurity(config: EngineConfig, parts: SecurityParts, logger: Logger): Promise<Security> {
  const { database, notifications, sealer } = parts
  const authorities = await Authorities.open(parts, await readAuthorityFiles(config), logger)
  const certificate = await EngineCertificate.make(authorities, namesOf(config), logger)
  const ticketKeys = await TicketKeys.open(database, sealer, notifications)
  const rest = await restTls(config, certificate, logger)
  certificate.start(notifications)
  ticketKeys.start(logger)
  return {
    authorities,
    certificate,
    ticketKeys,
    rest,
    stop: () => {
      certificate.stop()
      ticketKeys.stop()
      rest?.stop()
    },
  }
}

/** Whatever this replica may be called by who reaches it. */
function namesOf({ http, tcp, advertise, publicUrls }: EngineConfig): string[] {
  const listened = [http.host, tcp.host]
  const everywhere = listened.some(isWildcard) ? [hostname(), ...ownAddresses()] : []
  const told = [...advertise.map(({ host }) => host), ...publicUrls.map((url) => new URL(url).hostname)]
  const names = [...listened, ...everywhere, ...told, 'localhost', '127.0.0.1', '::1']
  return [...new Set(names.map((name) => name.replace(/^\[|\]$/g, '')))].filter((name) => !isWildcard(name))
}

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    // a zone means nothing to others
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address)
