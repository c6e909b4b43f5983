import { ApiProperty } from '@nestjs/swagger'
import { IsInt, Min, ValidateIf } from 'class-validator'
import { type ProvisioningStatus, provisioningStatuses } from '../../platform/provisioning.js'
import type { Tree } from '../tree.js'

export class RollbackInput {
  /**
   * The one to go back to. Left out: the last before the present one that was in force.
   * @example 6
   */
  @ValidateIf((input: RollbackInput) => input.generation !== undefined)
  @IsInt()
  @Min(1)
  generation?: number
}

/** A load balancer that has work before it. */
export class StartedBalancerView {
  /** @example 4a1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d24 */
  id!: string
  @ApiProperty({ enum: provisioningStatuses, example: 'PENDING_UPDATE' })
  provisioningStatus!: ProvisioningStatus
  /**
   * The one that holds the change: what the ETag shows.
   * @example 8
   */
  generation!: number
  /**
   * How often it came to another device.
   * @example 2
   */
  placementGeneration!: number
  /**
   * Where it is, or is to be.
   * @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11
   */
  hostId!: string
  /**
   * It waits until another device has let go of it.
   * @example true
   */
  moving!: boolean
  /** @example 1d7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f13 */
  commandId!: string | null
}

export function viewStarted({ loadBalancer }: Tree): StartedBalancerView {
  const { id, provisioningStatus, generation, placementGeneration, hostId, movingFromDeviceId, commandId } =
    loadBalancer
  return {
    id,
    provisioningStatus,
    generation,
    placementGeneration,
    hostId,
    moving: movingFromDeviceId !== null,
    commandId,
  }
}
