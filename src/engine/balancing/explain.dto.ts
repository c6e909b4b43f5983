import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { Transform, Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Matches,
  Max,
  Min,
} from 'class-validator'
import {
  type CompareType,
  compareTypes,
  type PolicyAction,
  policyActions,
  type RuleType,
  ruleTypes,
} from '../../wire/balancing/terms.js'
import type { ExplainedRequest, Explanation, OutcomeType } from './explain.js'
import type { Tree } from './tree.js'

const MAX_HEADERS = 50
const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}:[^\p{Cc}]{0,4096}$/u
const schemes = ['http', 'https'] as const
const outcomeTypes = ['pool', 'redirect', 'reject', 'metrics', 'unavailable', 'refused', 'undecided'] as const

const listed = ({ value }: { value: unknown }): unknown => (typeof value === 'string' ? [value] : value)

/** The request whose way is asked for. */
export class ExplainQuery {
  @ApiPropertyOptional({ format: 'uuid', description: 'At this listener.' })
  @IsOptional()
  @IsUUID()
  listenerId?: string

  @ApiPropertyOptional({ minimum: 1, maximum: 65_535, description: 'At this port; left out, that of the scheme.' })
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(65_535)
  port?: number

  @ApiPropertyOptional({ enum: schemes, default: 'http' })
  @IsOptional()
  @IsIn(schemes)
  scheme?: (typeof schemes)[number]

  @ApiPropertyOptional({ default: 'GET' })
  @IsOptional()
  @Matches(/^[A-Z]{1,32}$/)
  method?: string

  @ApiPropertyOptional({ maxLength: 255, description: 'The Host header, with or without a port.' })
  @IsOptional()
  @IsString()
  @Length(1, 255)
  host?: string

  @ApiPropertyOptional({ default: '/', maxLength: 4096, description: 'With the query string, where there is one.' })
  @IsOptional()
  @Matches(/^\/[^\p{Cc} ]{0,4095}$/u)
  path?: string

  @ApiPropertyOptional({
    type: [String],
    description: 'Each `Name: value`; repeated for several.',
    maxItems: MAX_HEADERS,
  })
  @IsOptional()
  @Transform(listed)
  @IsArray()
  @ArrayMaxSize(MAX_HEADERS)
  @Matches(HEADER, { each: true })
  headers?: string[]
}

export function requestOf(query: ExplainQuery): ExplainedRequest {
  const headers = new Map<string, string[]>()
  for (const line of query.headers ?? []) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()])
  }
  return {
    listenerId: query.listenerId?.toLowerCase() ?? null,
    port: query.port ?? null,
    scheme: query.scheme ?? 'http',
    method: query.method ?? 'GET',
    host: query.host ?? headers.get('host')?.[0] ?? null,
    path: query.path ?? '/',
    headers,
  }
}

export class ExplainedRuleView {
  /** @example 3f1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d23 */
  id!: string
  @ApiProperty({ enum: ruleTypes, example: 'PATH' })
  type!: RuleType
  @ApiProperty({ enum: compareTypes, example: 'STARTS_WITH' })
  compareType!: CompareType
  /** @example null */
  key!: string | null
  /** @example /api */
  value!: string
  /** @example false */
  invert!: boolean
  /**
   * Null: only the device can read its regular expression.
   * @example true
   */
  met!: boolean | null
  /** @example PATH is "/api/v1": it starts with "/api" */
  why!: string
}

export class ExplainedPolicyView {
  /** @example 9c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22 */
  id!: string
  /** @example api */
  name!: string
  /** @example 1 */
  position!: number
  @ApiProperty({ enum: policyActions, example: 'REDIRECT_TO_POOL' })
  action!: PolicyAction
  /** @example true */
  met!: boolean | null
  /**
   * The first that is met: what comes of the request is its own.
   * @example true
   */
  chosen!: boolean
  /** @example all of its rules are met */
  why!: string
  /** Those that are switched off are left out. */
  @ApiProperty({ type: [ExplainedRuleView] })
  rules!: ExplainedRuleView[]
}

export class OutcomeView {
  /**
   * `unavailable`: answered 503, or closed where nobody speaks HTTP. `refused`: no port is open there. `undecided`: hangs on a regular
   * expression that only the device can read.
   */
  @ApiProperty({ enum: outcomeTypes, example: 'pool' })
  type!: OutcomeType
  /** @example 5c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d25 */
  poolId!: string | null
  /**
   * Of the answer that the load balancer gives by itself.
   * @example null
   */
  status!: number | null
  /** @example null */
  location!: string | null
  /** @example policy api is met */
  why!: string
}

export class ExplanationView {
  /** @example 4a1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d24 */
  loadBalancerId!: string
  /**
   * Of what is wanted; it may not be in force yet.
   * @example 7
   */
  generation!: number
  /** @example 6d1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d26 */
  listenerId!: string | null
  /** In the order in which they are asked. */
  @ApiProperty({ type: [ExplainedPolicyView] })
  policies!: ExplainedPolicyView[]
  outcome!: OutcomeView
}

export function viewExplanation(
  { loadBalancer, l7Policies, l7Rules }: Tree,
  { listener, policies, outcome }: Explanation,
): ExplanationView {
  const policyOf = new Map(l7Policies.map((policy) => [policy.id, policy]))
  const ruleOf = new Map(l7Rules.map((rule) => [rule.id, rule]))
  return {
    loadBalancerId: loadBalancer.id,
    generation: loadBalancer.generation,
    listenerId: listener?.id ?? null,
    policies: policies.flatMap(({ policyId, met, chosen, why, rules }) => {
      const policy = policyOf.get(policyId)
      if (!policy) return []
      const { name, position, action } = policy
      const views = rules.flatMap(({ ruleId, ...verdict }) => {
        const rule = ruleOf.get(ruleId)
        if (!rule) return []
        const { type, compareType, key, value, invert } = rule
        return [{ id: ruleId, type, compareType, key, value, invert, met: verdict.met, why: verdict.why }]
      })
      return [{ id: policyId, name, position, action, met, chosen, why, rules: views }]
    }),
    outcome,
  }
}
