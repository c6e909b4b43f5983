import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsIP,
  IsObject,
  IsOptional,
  IsString,
  IsUUID,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator'
import { MAX_DISKS, MAX_MEMORY_MIB, MAX_NICS, MAX_SIZE_MIB, MAX_VCPUS } from '../../wire/guests/intent.js'
import {
  type GuestStatus,
  guestStatuses,
  type RestartPolicy,
  restartPolicies,
  type VolumeFormat,
  volumeFormats,
} from '../../wire/guests/terms.js'
import { CONNECTION_ID } from '../../wire/storage/connection-id.js'
import { IsLine } from '../balancing/balancing-input.js'
import { IsLabels } from '../hosts/labels.js'
import { MayBeLeftOut } from '../platform/left-out.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { type ProvisioningStatus, provisioningStatuses } from '../platform/provisioning.js'
import { GuestTaskInput } from './guest-task.dto.js'
import { type GuestStep, guestSteps } from './guests.states.js'

/** It is the host name in the guest, too. */
export const GUEST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

export class GuestDiskInput {
  /**
   * The storage connection that it is to be on.
   * @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77
   */
  @Matches(CONNECTION_ID)
  connectionId!: string

  /** @example 10240 */
  @IsInt()
  @Min(1)
  @Max(MAX_SIZE_MIB)
  sizeMiB!: number

  /** Left out: qcow2. */
  @MayBeLeftOut()
  @IsIn(volumeFormats)
  format?: VolumeFormat

  /** It begins as a copy of another guest's disk, as that was when the snapshot was taken: a clone. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => GuestDiskOrigin)
  snapshot?: GuestDiskOrigin | null

  /** It outlives the guest. Not for the first disk, which is made of the image. */
  @MayBeLeftOut()
  @IsBoolean()
  keep?: boolean
}

export class GuestDiskOrigin {
  /** @example 3c2d1e0f-9a8b-4c7d-8e6f-5a4b3c2d1e0f */
  @IsUUID()
  snapshotId!: string

  /**
   * Of the guest that the snapshot is of.
   * @example 6b5a4c3d-2e1f-4a0b-9c8d-7e6f5a4b3c2d
   */
  @IsUUID()
  volumeId!: string
}

export class GuestNicInput {
  /** @example 5c8f1e2d-3b4a-4c5d-8e6f-7a8b9c0d1e2f */
  @IsUUID()
  networkId!: string

  /**
   * Left out: one that is free.
   * @example 192.0.2.20
   */
  @IsOptional()
  @IsIP()
  address?: string | null
}

export class GuestSpreadInput {
  /**
   * Guests of the project with the same value of this label of theirs are put apart.
   * @example app
   */
  @IsLine(128, 1)
  guestLabel!: string

  /**
   * Onto hosts that differ in this label of the hosts'; left out: just onto others.
   * @example rack
   */
  @IsOptional()
  @IsLine(128, 1)
  hostLabel?: string | null
}

export class GuestPlacementInput {
  /**
   * On this host, or not at all.
   * @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11
   */
  @IsOptional()
  @IsUUID()
  hostId?: string | null

  /**
   * Only on hosts with all of these labels.
   * @example { "zone": "a" }
   */
  @MayBeLeftOut()
  @IsLabels()
  hostLabels?: Record<string, string>

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => GuestSpreadInput)
  spread?: GuestSpreadInput | null
}

export class GuestCreate {
  /**
   * The project that it is to belong to, for good. Left out: the default project if the caller is an operator there, or the only
   * one in which they are; 422 if there are several.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @MayBeLeftOut()
  @IsUUID()
  projectId?: string

  /**
   * Unique in its project, and its host name.
   * @example web-1
   */
  @Matches(GUEST_NAME, { message: 'name must be a host name: up to 63 small letters, digits and -' })
  name!: string

  /** @example { "app": "shop" } */
  @MayBeLeftOut()
  @IsLabels()
  labels?: Record<string, string>

  /** @example 2f1b0c9d-8e7f-4a6b-9c5d-4e3f2a1b0c9d */
  @IsUUID()
  imageId!: string

  /** @example 2 */
  @IsInt()
  @Min(1)
  @Max(MAX_VCPUS)
  vcpus!: number

  /** @example 2048 */
  @IsInt()
  @Min(32)
  @Max(MAX_MEMORY_MIB)
  memoryMiB!: number

  /** The first is made of the image, unless that is a kernel. */
  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(MAX_DISKS)
  @ValidateNested({ each: true })
  @Type(() => GuestDiskInput)
  disks?: GuestDiskInput[]

  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(MAX_NICS)
  @ValidateNested({ each: true })
  @Type(() => GuestNicInput)
  nics?: GuestNicInput[]

  /**
   * For cloud-init. Never shown again.
   * @example #cloud-config
   */
  @IsOptional()
  @IsString()
  @MaxLength(65_536)
  userData?: string | null

  /** @example ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5 somebody"] */
  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(50)
  @IsLine(4096, 1, { each: true })
  sshKeys?: string[]

  /** What is done in it before it is ACTIVE. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => GuestTaskInput)
  prepare?: GuestTaskInput | null

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => GuestPlacementInput)
  placement?: GuestPlacementInput | null

  /**
   * From its start until it answers: one that does not is in ERROR then. Left out: 300000.
   * @example 300000
   */
  @MayBeLeftOut()
  @IsInt()
  @Min(1_000)
  @Max(3_600_000)
  bootTimeoutMs?: number

  /**
   * For what `prepare` says. Left out: 600000.
   * @example 600000
   */
  @MayBeLeftOut()
  @IsInt()
  @Min(1_000)
  @Max(3_600_000)
  prepareTimeoutMs?: number

  /**
   * Until a stop is forced. Left out: 60000.
   * @example 60000
   */
  @MayBeLeftOut()
  @IsInt()
  @Min(0)
  @Max(3_600_000)
  stopGraceMs?: number

  /** What its host does when it ends without being asked to. Left out: on-crash. */
  @MayBeLeftOut()
  @IsIn(restartPolicies)
  restartPolicy?: RestartPolicy
}

export class GuestQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Guests of these projects.' }) projectId?: string[]
  @Filter({ description: 'Guests of these names.' }) name?: string[]
  @Filter({ format: 'uuid', description: 'Guests on these hosts.' }) hostId?: string[]
  @Filter({ format: 'uuid', description: 'Guests of these images.' }) imageId?: string[]
  @Filter({ enum: provisioningStatuses, description: 'In one of these.' }) provisioningStatus?: ProvisioningStatus[]
  @Filter({ enum: guestStatuses, description: 'Seen in one of these.' }) operatingStatus?: GuestStatus[]
  @Filter({ enum: guestSteps, description: 'At one of these steps.' }) step?: GuestStep[]
}
