import { Matches, ValidateIf } from 'class-validator'
import { Filter, PageQuery } from '../platform/pages.js'
import type { Project } from './project.entity.js'

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,62}$/u
const NAME_FAULT = {
  message: "name must have 1 to 63 letters, digits, blanks, '.', '_' and '-', a letter or digit first",
}
const DESCRIPTION = /^[^\p{Cc}]{0,500}$/u

export class ProjectCreate {
  /**
   * Letters, digits, blanks, '.', '_' and '-'; no other project has it.
   * @example web-shop
   */
  @Matches(NAME, NAME_FAULT)
  name!: string

  /**
   * What it is for, for the colleagues.
   * @example Everything behind shop.example.org
   */
  @ValidateIf((project: ProjectCreate) => project.description !== undefined)
  @Matches(DESCRIPTION)
  description?: string
}

export class ProjectUpdate {
  /** @example web-shop */
  @ValidateIf((project: ProjectUpdate) => project.name !== undefined)
  @Matches(NAME, NAME_FAULT)
  name?: string

  /** @example Everything behind shop.example.org */
  @ValidateIf((project: ProjectUpdate) => project.description !== undefined)
  @Matches(DESCRIPTION)
  description?: string
}

export class ProjectQuery extends PageQuery {
  @Filter({ description: 'Projects of this name.' }) name?: string[]
}

export class ProjectView {
  /** @example 3e1f0c52-8a4b-4d0e-9b7a-6f1d2c3b4a59 */
  id!: string
  /** @example web-shop */
  name!: string
  /** @example Everything behind shop.example.org */
  description!: string
  /**
   * What the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export const viewProject = (project: Project): ProjectView => ({
  id: project.id,
  name: project.name,
  description: project.description,
  generation: project.generation,
  createdAt: project.createdAt.toISOString(),
  updatedAt: project.updatedAt.toISOString(),
})
