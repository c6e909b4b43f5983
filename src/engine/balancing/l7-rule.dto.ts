import { IsBoolean, IsIn, IsOptional } from 'class-validator'
import { type CompareType, compareTypes, type RuleType, ruleTypes } from '../../wire/balancing/terms.js'
import { Filter } from '../platform/pages.js'
import { IsLine } from './balancing-input.js'
import { DescribedInput, PartQuery, PartView, type ShownPart, viewPart } from './balancing-part.dto.js'
import type { L7RuleChange, NewL7Rule } from './edits/l7-rules.js'
import type { L7Rule } from './l7-rule.entity.js'

export abstract class L7RuleAttributes extends DescribedInput {
  /**
   * The name of the header or cookie.
   * @example X-Channel
   */
  @IsOptional()
  @IsLine(255)
  key?: string | null

  /**
   * It is met where the comparison fails.
   * @example false
   */
  @IsOptional()
  @IsBoolean()
  invert?: boolean | null
}

/** What is left out stays; null: its default. */
export class L7RuleUpdate extends L7RuleAttributes implements L7RuleChange {
  @IsOptional()
  @IsIn(ruleTypes)
  type?: RuleType | null

  @IsOptional()
  @IsIn(compareTypes)
  compareType?: CompareType | null

  /** @example /api */
  @IsOptional()
  @IsLine(255)
  value?: string | null
}

export class L7RuleCreate extends L7RuleAttributes implements NewL7Rule {
  @IsIn(ruleTypes)
  type!: RuleType

  @IsIn(compareTypes)
  compareType!: CompareType

  /** @example /api */
  @IsLine(255, 1)
  value!: string
}

export class L7RuleQuery extends PartQuery {
  @Filter({ enum: ruleTypes, description: 'Rules of these types.' }) type?: RuleType[]
}

export class L7RuleView extends PartView {
  /** @example 6c7d8e9f-0a1b-4c2d-8e3f-4a5b6c7d8e9f */
  l7PolicyId!: string
  type!: RuleType
  compareType!: CompareType
  /** @example X-Channel */
  key!: string | null
  /** @example /api */
  value!: string
  /** @example false */
  invert!: boolean
}

export const viewL7Rule = ({ row, above }: ShownPart<L7Rule>): L7RuleView => ({
  ...viewPart(row, above),
  l7PolicyId: row.l7PolicyId,
  type: row.type,
  compareType: row.compareType,
  key: row.key,
  value: row.value,
  invert: row.invert,
})
