import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsUUID,
  Max,
  Min,
  ValidateNested,
} from 'class-validator'
import { MAX_RULES } from '../../wire/balancing/intent.js'
import { type PolicyAction, policyActions } from '../../wire/balancing/terms.js'
import { Filter } from '../platform/pages.js'
import { IsLine } from './balancing-input.js'
import {
  DescribedInput,
  type IdView,
  idViews,
  PartQuery,
  PartView,
  type ShownPart,
  viewPart,
} from './balancing-part.dto.js'
import type { L7PolicyChange, NewL7Policy } from './edits/l7-policies.js'
import type { L7Policy } from './l7-policy.entity.js'
import { L7RuleCreate } from './l7-rule.dto.js'
import { TreePool } from './pool.dto.js'

const redirectCodes = [301, 302, 303, 307, 308]

export abstract class L7PolicyAttributes extends DescribedInput {
  /**
   * From 1, without gaps in its listener: those at and after it move on. Beyond the last, and by default: the last.
   * @example 1
   */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(2_147_483_647)
  position?: number | null

  /**
   * Of REDIRECT_TO_POOL. What does not belong to its action is not kept.
   * @example 4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d
   */
  @IsOptional()
  @IsUUID()
  redirectPoolId?: string | null

  /**
   * Of REDIRECT_TO_URL.
   * @example https://shop.example/
   */
  @IsOptional()
  @IsLine(2048)
  redirectUrl?: string | null

  /**
   * Of REDIRECT_PREFIX: the path of the request follows it.
   * @example https://shop.example
   */
  @IsOptional()
  @IsLine(2048)
  redirectPrefix?: string | null

  /**
   * Of the two redirects to elsewhere; 302 by default.
   * @example 302
   */
  @IsOptional()
  @IsIn(redirectCodes)
  redirectHttpCode?: number | null
}

/** What is left out stays; null: its default. */
export class L7PolicyUpdate extends L7PolicyAttributes implements L7PolicyChange {
  @IsOptional()
  @IsIn(policyActions)
  action?: PolicyAction | null
}

export class L7PolicyCreate extends L7PolicyAttributes implements NewL7Policy {
  /** @example 5b6c7d8e-9f0a-4b1c-8d2e-3f4a5b6c7d8e */
  @IsUUID()
  listenerId!: string

  @IsIn(policyActions)
  action!: PolicyAction
}

export class TreeL7Policy extends L7PolicyAttributes implements NewL7Policy {
  @IsIn(policyActions)
  action!: PolicyAction

  /** Instead of an id, which it has none yet. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => TreePool)
  redirectPool?: TreePool | null

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_RULES)
  @ValidateNested({ each: true })
  @Type(() => L7RuleCreate)
  rules?: L7RuleCreate[] | null
}

export class L7PolicyQuery extends PartQuery {
  @Filter({ format: 'uuid', description: 'Policies of these listeners.' }) listenerId?: string[]
  @Filter({ enum: policyActions, description: 'Policies of these actions.' }) action?: PolicyAction[]
}

export class L7PolicyView extends PartView {
  /** @example 5b6c7d8e-9f0a-4b1c-8d2e-3f4a5b6c7d8e */
  listenerId!: string
  action!: PolicyAction
  /** @example 1 */
  position!: number
  /** @example 4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d */
  redirectPoolId!: string | null
  /** @example null */
  redirectUrl!: string | null
  /** @example null */
  redirectPrefix!: string | null
  /** @example null */
  redirectHttpCode!: number | null
  /** All of them are to be met. */
  rules!: IdView[]
}

/** What of other rows a policy shows. */
export interface L7PolicyKin {
  readonly ruleIds: readonly string[]
}

export const viewL7Policy = ({ row, above, kin }: ShownPart<L7Policy, L7PolicyKin>): L7PolicyView => ({
  ...viewPart(row, above),
  listenerId: row.listenerId,
  action: row.action,
  position: row.position,
  redirectPoolId: row.redirectPoolId,
  redirectUrl: row.redirectUrl,
  redirectPrefix: row.redirectPrefix,
  redirectHttpCode: row.redirectHttpCode,
  rules: idViews(kin.ruleIds),
})
