import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { Settings } from '../platform/settings.js'

/** At most so often is the use of one token or session written. */
const EVERY_MS = 60_000
/** What is noted within it goes in one statement. */
const GATHER_MS = 200
const MAX_NOTED = 20_000

type Kind = 'token' | 'session'

/** When tokens and sessions were last used: written behind the requests, never in their way, and lost without harm. */
@Injectable()
export class LastUse implements OnApplicationShutdown {
  private readonly log = new Logger(LastUse.name)
  private readonly notedAtMs = new Map<string, number>()
  private readonly pending: Record<Kind, Set<string>> = { token: new Set(), session: new Set() }
  private timer: NodeJS.Timeout | null = null

  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
  ) {}

  note(kind: Kind, id: string): void {
    const now = performance.now()
    if (now - (this.notedAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
    if (this.notedAtMs.size >= MAX_NOTED) this.notedAtMs.clear()
    this.notedAtMs.set(id, now)
    this.pending[kind].add(id)
    this.timer ??= setTimeout(() => void this.write(), GATHER_MS).unref()
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.timer) clearTimeout(this.timer)
    await this.write()
  }

  private async write(): Promise<void> {
    this.timer = null
    const tokens = taken(this.pending.token)
    const sessions = taken(this.pending.session)
    try {
      if (tokens.length > 0) await this.writeTokens(tokens)
      if (sessions.length > 0) await this.extendSessions(sessions)
    } catch (error) {
      this.log.debug({ err: error }, 'the last use of tokens and sessions could not be written')
    }
  }

  private async writeTokens(ids: readonly string[]): Promise<void> {
    // another replica may have been at it
    await this.database.query(
      'identity_tokens_used',
      `UPDATE api_tokens SET last_used_at = now() WHERE id = ANY($1::uuid[])
         AND (last_used_at IS NULL OR last_used_at < now() - interval '${EVERY_MS} milliseconds')`,
      [ids],
    )
  }

  private async extendSessions(ids: readonly string[]): Promise<void> {
    await this.database.query(
      'identity_sessions_used',
      `UPDATE web_sessions SET expires_at = least(now() + $2::float8 * interval '1 millisecond',
         created_at + $3::float8 * interval '1 millisecond',
         CASE WHEN provider_id IS NOT NULL THEN created_at + $4::float8 * interval '1 millisecond' END)
       WHERE id = ANY($1::uuid[]) AND expires_at > now()`,
      [
        ids,
        this.settings.get('identity.sessionIdleMs'),
        this.settings.get('identity.sessionLifetimeMs'),
        this.settings.get('identity.providerSessionLifetimeMs'),
      ],
    )
  }
}

function taken(ids: Set<string>): string[] {
  const all = [...ids]
  ids.clear()
  return all
}
