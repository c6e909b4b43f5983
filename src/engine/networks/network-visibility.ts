import { type Caller, mayInProject, visibleProjects } from '../platform/caller.js'
import type { Narrow } from '../platform/pages.js'
import type { Network } from './network.entity.js'

/** Networks of no project are there for everybody who has a role anywhere: the routes ask for one. */
export const isVisible = (caller: Caller, { projectId }: Pick<Network, 'projectId'>): boolean =>
  projectId === null || mayInProject(caller, projectId, 'viewer')

/** As `isVisible`, for lists. */
export function visibleNetworks(caller: Caller): Narrow<Network> {
  const projectIds = visibleProjects(caller)
  return (rows) => {
    if (projectIds) rows.andWhere('(row.projectId IS NULL OR row.projectId = ANY(:visible))', { visible: projectIds })
  }
}
