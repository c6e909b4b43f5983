import { Injectable } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { Database } from '../platform/database.js'
import { Unauthenticated } from '../platform/errors.js'
import { findSession } from './callers.queries.js'
import type { SessionView } from './session.dto.js'
import type { UserKind } from './user.entity.js'

interface Person {
  display_name: string
  name: string
  kind: UserKind
}

const JUST_OPENED_MS = 60_000

/** What a caller is told about themselves. */
@Injectable()
export class WhoAmI {
  constructor(private readonly database: Database) {}

  /** Of a session that was just opened, whose caller no request has been yet. */
  async ofSession(id: string): Promise<SessionView> {
    const known = await findSession(this.database, id, JUST_OPENED_MS)
    if (!known) throw new Unauthenticated('the session has ended')
    return this.of(known.caller)
  }

  async of(caller: Caller): Promise<SessionView> {
    const [user] = await this.database.query<Person>(
      'identity_whoami',
      'SELECT name, display_name, kind FROM users WHERE id = $1',
      [caller.userId],
    )
    if (!user || caller.userId === null) throw new Unauthenticated('the user was removed')
    const projects = await this.database.query<{ id: string; name: string }>(
      'identity_whoami_projects',
      'SELECT id, name FROM projects WHERE id = ANY($1::uuid[]) ORDER BY name',
      [[...caller.projects.keys()]],
    )
    return {
      userId: caller.userId,
      name: user.name,
      displayName: user.display_name,
      kind: user.kind,
      mustChangePassword: caller.mustChangePassword,
      role: caller.plane,
      projects: projects.flatMap(({ id, name }) => {
        const role = caller.projects.get(id)
        return role ? [{ projectId: id, name, role }] : []
      }),
      tokenId: caller.tokenId,
    }
  }
}
