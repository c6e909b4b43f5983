import { IsIn, IsInt, IsOptional, IsUUID, Max, Min } from 'class-validator'
import { type HttpMethod, httpMethods, type MonitorType, monitorTypes } from '../../wire/balancing/terms.js'
import { Filter } from '../platform/pages.js'
import { IsLine } from './balancing-input.js'
import { DescribedInput, PartQuery, PartView, type ShownPart, viewPart } from './balancing-part.dto.js'
import type { HealthMonitorChange, NewHealthMonitor } from './edits/health-monitors.js'
import type { HealthMonitor } from './health-monitor.entity.js'

/** Seconds: more than a day between two checks is none. */
const MAX_SECONDS = 86_400

export abstract class HealthMonitorAttributes extends DescribedInput {
  /**
   * Bad checks until a member is down; 3 by default.
   * @example 3
   */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10)
  maxRetriesDown?: number | null

  /** Of HTTP and HTTPS; GET by default. */
  @IsOptional()
  @IsIn(httpMethods)
  httpMethod?: HttpMethod | null

  /**
   * Of HTTP and HTTPS; `/` by default.
   * @example /health
   */
  @IsOptional()
  @IsLine(255)
  urlPath?: string | null

  /**
   * Of HTTP and HTTPS: one status, several, or a range; 200 by default.
   * @example 200-204
   */
  @IsOptional()
  @IsLine(64)
  expectedCodes?: string | null

  /** Of HTTP and HTTPS. */
  @IsOptional()
  @IsIn(['1.0', '1.1'])
  httpVersion?: '1.0' | '1.1' | null

  /**
   * The host that is asked for, in HTTP 1.1.
   * @example shop.example
   */
  @IsOptional()
  @IsLine(255)
  domainName?: string | null
}

/** What is left out stays; null: its default. */
export class HealthMonitorUpdate extends HealthMonitorAttributes implements HealthMonitorChange {
  /**
   * Seconds between checks.
   * @example 5
   */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MAX_SECONDS)
  delay?: number | null

  /**
   * Seconds for a check.
   * @example 3
   */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MAX_SECONDS)
  timeout?: number | null

  /**
   * Good checks until a member is up.
   * @example 2
   */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(10)
  maxRetries?: number | null
}

export class TreeHealthMonitor extends HealthMonitorAttributes implements NewHealthMonitor {
  @IsIn(monitorTypes)
  type!: MonitorType

  /**
   * Seconds between checks.
   * @example 5
   */
  @IsInt()
  @Min(1)
  @Max(MAX_SECONDS)
  delay!: number

  /**
   * Seconds for a check.
   * @example 3
   */
  @IsInt()
  @Min(1)
  @Max(MAX_SECONDS)
  timeout!: number

  /**
   * Good checks until a member is up.
   * @example 2
   */
  @IsInt()
  @Min(1)
  @Max(10)
  maxRetries!: number
}

export class HealthMonitorCreate extends TreeHealthMonitor {
  /** @example 4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d */
  @IsUUID()
  poolId!: string
}

export class HealthMonitorQuery extends PartQuery {
  @Filter({ format: 'uuid', description: 'Those of these pools.' }) poolId?: string[]
  @Filter({ enum: monitorTypes, description: 'Those of these types.' }) type?: MonitorType[]
}

export class HealthMonitorView extends PartView {
  /** @example 4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d */
  poolId!: string
  type!: MonitorType
  /** @example 5 */
  delay!: number
  /** @example 3 */
  timeout!: number
  /** @example 2 */
  maxRetries!: number
  /** @example 3 */
  maxRetriesDown!: number
  httpMethod!: HttpMethod | null
  /** @example /health */
  urlPath!: string | null
  /** @example 200-204 */
  expectedCodes!: string | null
  httpVersion!: '1.0' | '1.1' | null
  /** @example shop.example */
  domainName!: string | null
}

export const viewHealthMonitor = ({ row, above }: ShownPart<HealthMonitor>): HealthMonitorView => ({
  ...viewPart(row, above),
  poolId: row.poolId,
  type: row.type,
  delay: row.delay,
  timeout: row.timeout,
  maxRetries: row.maxRetries,
  maxRetriesDown: row.maxRetriesDown,
  httpMethod: row.httpMethod,
  urlPath: row.urlPath,
  expectedCodes: row.expectedCodes,
  httpVersion: row.httpVersion,
  domainName: row.domainName,
})
