import { Forbidden, NotFound } from './errors.js'

/** Each may do what stands before it as well. */
export const roles = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

/**
 * Who may call a route. `project`: whoever has the role in the whole plane or in some project; the service then holds the
 * object's own project against the caller.
 */
export type Allow = 'anyone' | 'signed-in' | { readonly plane: Role } | { readonly project: Role }

/** Who makes a request, and what they may do. Made once per request, by `identity`. */
export interface Caller {
  /** Null: nobody has signed in. */
  readonly userId: string | null
  /** As the audit log names them. */
  readonly name: string
  readonly tokenId: string | null
  /** Of a browser that has signed in. */
  readonly sessionId: string | null
  /** In the whole plane, every project among it. */
  readonly plane: Role | null
  readonly projects: ReadonlyMap<string, Role>
  /** May do nothing but choose a new password. */
  readonly mustChangePassword: boolean
  /** Not counted by the rate limits: for benchmarks. */
  readonly unlimited: boolean
}

export const anonymous: Caller = {
  userId: null,
  name: 'anonymous',
  tokenId: null,
  sessionId: null,
  plane: null,
  projects: new Map(),
  mustChangePassword: false,
  unlimited: false,
}

export const includes = (held: Role | null | undefined, wanted: Role): boolean =>
  held != null && roles.indexOf(held) >= roles.indexOf(wanted)

export const mayInPlane = ({ plane }: Caller, role: Role): boolean => includes(plane, role)

/** @param projectId null: the thing is the plane's own */
export function mayInProject(caller: Caller, projectId: string | null, role: Role): boolean {
  if (mayInPlane(caller, role)) return true
  return projectId !== null && includes(caller.projects.get(projectId), role)
}

/**
 * The projects whose things the caller may see; null: all, and what is the plane's own.
 * @param among those that were asked for; others are left out
 */
export function visibleProjects(caller: Caller, among?: readonly string[]): readonly string[] | null {
  // UUIDs as the database spells them
  const asked = among?.map((id) => id.toLowerCase())
  if (mayInPlane(caller, 'viewer')) return asked ?? null
  return [...caller.projects.keys()].filter((id) => asked?.includes(id) ?? true)
}

/**
 * What another project has does not exist for the caller; what may be seen and not changed is forbidden.
 * @param what as `NotFound` names it
 * @throws NotFound, Forbidden
 */
export function requireInProject(caller: Caller, projectId: string | null, role: Role, what: string): void {
  if (!mayInProject(caller, projectId, 'viewer')) throw new NotFound(what)
  if (!mayInProject(caller, projectId, role)) throw new Forbidden(`${role} of the project is needed`)
}
