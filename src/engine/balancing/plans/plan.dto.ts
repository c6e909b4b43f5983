import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsIn,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  ValidateNested,
} from 'class-validator'
import { LoadBalancerUpdate } from '../load-balancer.dto.js'
import type { PlannedEdit } from './planned-edits.js'

const MAX_EDITS = 100
const methods = ['POST', 'PATCH', 'PUT', 'DELETE'] as const

/** A call that is not made. */
export class PlannedEditInput implements PlannedEdit {
  @ApiProperty({ enum: methods, example: 'POST' })
  @IsIn(methods)
  method!: (typeof methods)[number]

  /**
   * As it would be called.
   * @example /api/v1/listeners
   */
  @IsString()
  @Length(1, 512)
  path!: string

  /** As it would be sent. */
  @ApiPropertyOptional({ type: Object, example: { protocol: 'HTTP', protocolPort: 8080 } })
  @IsOptional()
  @IsObject()
  body?: object

  /**
   * Of what a POST makes: by it later ones find it.
   * @example 9c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22
   */
  @IsOptional()
  @IsUUID()
  id?: string
}

/** What a PATCH of the load balancer would say, and calls for what stands under it. */
export class PlanInput extends LoadBalancerUpdate {
  /** In this order, after what is said of the load balancer itself. */
  @ApiPropertyOptional({ type: [PlannedEditInput] })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_EDITS)
  @ValidateNested({ each: true })
  @Type(() => PlannedEditInput)
  edits?: PlannedEditInput[] | null
}

export class PlanView {
  /**
   * The device would take it.
   * @example true
   */
  accepted!: boolean
  /**
   * Of its driver, where it would not.
   * @example ""
   */
  words!: string
  /**
   * From the configuration in force to the planned one, without secrets: a unified diff. Empty: nothing would be another.
   * @example "--- in force\n+++ planned\n@@ -1,1 +1,1 @@\n-bind 192.0.2.10:80\n+bind 192.0.2.10:8080\n"
   */
  diff!: string
}
