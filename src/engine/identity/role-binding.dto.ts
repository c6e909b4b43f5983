import { IsIn } from 'class-validator'
import { type Role, roles } from '../platform/caller.js'
import { Filter, PageQuery } from '../platform/pages.js'
import type { RoleBinding } from './role-binding.entity.js'

export class RoleBindingPut {
  /** Each may do what the one before it may as well. */
  @IsIn(roles)
  role!: Role
}

export class RoleBindingQuery extends PageQuery {
  @Filter({ enum: roles, description: 'Of these roles.' }) role?: Role[]
}

export class RoleBindingView {
  /** @example 9d4f2a10-3c5e-4b6f-8a7d-1e2f3a4b5c6d */
  userId!: string
  /** @example ann */
  userName!: string
  /**
   * Null: the whole plane.
   * @example 3e1f0c52-8a4b-4d0e-9b7a-6f1d2c3b4a59
   */
  projectId!: string | null
  role!: Role
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
}

export interface NamedBinding extends RoleBinding {
  readonly userName: string
}

export const viewRoleBinding = (binding: NamedBinding): RoleBindingView => ({
  userId: binding.userId,
  userName: binding.userName,
  projectId: binding.projectId,
  role: binding.role,
  createdAt: binding.createdAt.toISOString(),
})
