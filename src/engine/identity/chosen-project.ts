import { type Caller, includes, mayInProject, requireInProject } from '../platform/caller.js'
import { Invalid } from '../platform/errors.js'
import { DEFAULT_PROJECT } from './project.entity.js'

/**
 * The project that a new thing is to belong to: the one that was asked for, or the default one if the caller may make things
 * there, or the only one in which they may.
 * @returns null when the caller has to say
 * @throws NotFound, Forbidden for one that was asked for
 */
export function chosenProject(caller: Caller, asked: string | undefined): string | null {
  if (asked !== undefined) {
    const id = asked.toLowerCase()
    requireInProject(caller, id, 'operator', `project ${id}`)
    return id
  }
  if (mayInProject(caller, DEFAULT_PROJECT, 'operator')) return DEFAULT_PROJECT
  const [only, ...others] = [...caller.projects].filter(([, role]) => includes(role, 'operator')).map(([id]) => id)
  return only !== undefined && others.length === 0 ? only : null
}

export const projectMissing = (): Invalid =>
  new Invalid('it could belong to several projects', [{ field: 'projectId', message: 'say which of your projects' }])
