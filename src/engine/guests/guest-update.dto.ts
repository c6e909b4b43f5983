import { IsIn, IsInt, IsUUID, Max, Min } from 'class-validator'
import { MAX_MEMORY_MIB, MAX_VCPUS } from '../../wire/guests/intent.js'
import { type RestartPolicy, restartPolicies } from '../../wire/guests/terms.js'
import { IsLabels } from '../hosts/labels.js'
import { MayBeLeftOut } from '../platform/left-out.js'

/** What of a guest may be changed; what is left out stays. */
export class GuestUpdate {
  /** @example { "app": "shop" } */
  @MayBeLeftOut()
  @IsLabels()
  labels?: Record<string, string>

  /** Only while it is stopped. */
  @MayBeLeftOut()
  @IsInt()
  @Min(1)
  @Max(MAX_VCPUS)
  vcpus?: number

  /**
   * Only while it is stopped.
   * @example 4096
   */
  @MayBeLeftOut()
  @IsInt()
  @Min(32)
  @Max(MAX_MEMORY_MIB)
  memoryMiB?: number

  /** Until a stop is forced. */
  @MayBeLeftOut()
  @IsInt()
  @Min(0)
  @Max(3_600_000)
  stopGraceMs?: number

  /** What its host does when it ends without being asked to. */
  @MayBeLeftOut()
  @IsIn(restartPolicies)
  restartPolicy?: RestartPolicy
}

export class GuestVolume {
  /** @example 6b5a4c3d-2e1f-4a0b-9c8d-7e6f5a4b3c2d */
  @IsUUID()
  volumeId!: string
}
