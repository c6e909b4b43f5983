import 'reflect-metadata'
import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsIP,
  IsOptional,
  IsString,
  IsUrl,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator'
import { NetworkIntent } from '../networks.js'
import { CONNECTION_ID } from '../storage/connection-id.js'
import {
  type GuestPower,
  guestPowers,
  type ImageFileRole,
  type ImageFormat,
  imageFileRoles,
  imageFormats,
  type RestartPolicy,
  restartPolicies,
  type VolumeFormat,
  volumeFormats,
} from './terms.js'

export const MAX_DISKS = 16
export const MAX_NICS = 8
export const MAX_VCPUS = 256
export const MAX_MEMORY_MIB = 4_194_304
export const MAX_SIZE_MIB = 67_108_864

export const SHA256 = /^[0-9a-f]{64}$/
/** Of a file on a connection: no component is empty, `.` or `..`. */
export const RELATIVE_PATH = /^(?!\/)(?!.*(?:^|\/)\.{0,2}(?:\/|$))[^\p{Cc}]{1,1024}$/u
export const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/

export class ImageFileIntent {
  @IsIn(imageFileRoles) role!: ImageFileRole
  /** On the image's connection. */
  @Matches(RELATIVE_PATH) path!: string
  /** Where it is fetched from, if it is not there. Null: it must be there. */
  @IsOptional() @IsUrl({ protocols: ['http', 'https'], require_tld: false }) url!: string | null
  /** Null: whatever it holds. */
  @IsOptional() @Matches(SHA256) sha256!: string | null
}

/** An image as its files on a storage connection. */
export class ImageIntent {
  @IsUUID() id!: string
  @IsIn(imageFormats) format!: ImageFormat
  @Matches(CONNECTION_ID) connectionId!: string
  @IsArray() @ArrayMaxSize(4) @ValidateNested({ each: true }) @Type(() => ImageFileIntent) files!: ImageFileIntent[]
}

export class SnapshotOrigin {
  @IsUUID() volumeId!: string
  @Matches(CONNECTION_ID) connectionId!: string
  @IsIn(volumeFormats) format!: VolumeFormat
  @IsUUID() snapshotId!: string
}

/** What a volume begins with. Both null: nothing. */
export class VolumeOrigin {
  /** Its `disk`: the volume is an overlay on it. */
  @IsOptional() @ValidateNested() @Type(() => ImageIntent) image!: ImageIntent | null
  /** A copy of another volume as it was when this snapshot was taken. */
  @IsOptional() @ValidateNested() @Type(() => SnapshotOrigin) snapshot!: SnapshotOrigin | null
}

/** A volume on a connection: what its file is called there is its driver's to say. */
export class VolumeIntent {
  @IsUUID() id!: string
  @Matches(CONNECTION_ID) connectionId!: string
  @IsIn(volumeFormats) format!: VolumeFormat
  /** Never less than it was. */
  @IsInt() @Min(1) @Max(MAX_SIZE_MIB) sizeMiB!: number
  @IsOptional() @ValidateNested() @Type(() => VolumeOrigin) origin!: VolumeOrigin | null
}

/** A volume as something to be found. */
export class VolumePlace {
  @IsUUID() id!: string
  @Matches(CONNECTION_ID) connectionId!: string
  @IsIn(volumeFormats) format!: VolumeFormat
}

export class NicIntent {
  @Matches(MAC) mac!: string
  @IsIP() address!: string
  @ValidateNested() @Type(() => NetworkIntent) network!: NetworkIntent
}

/** How it boots where it is not from its first disk. */
export class KernelBoot {
  @ValidateNested() @Type(() => ImageIntent) image!: ImageIntent
  @IsString() @MaxLength(2048) commandLine!: string
}

/** A guest whole, and for no hypervisor. Its generation is the command's. */
export class GuestIntent {
  @IsUUID() id!: string
  /** For who looks at a host: nothing is told apart by it. */
  @IsString() @Length(1, 63) name!: string
  @IsInt() @Min(1) @Max(MAX_VCPUS) vcpus!: number
  @IsInt() @Min(32) @Max(MAX_MEMORY_MIB) memoryMiB!: number
  /** In the order in which the guest sees them. */
  @IsArray() @ArrayMaxSize(MAX_DISKS) @ValidateNested({ each: true }) @Type(() => VolumePlace) disks!: VolumePlace[]
  @IsArray() @ArrayMaxSize(MAX_NICS) @ValidateNested({ each: true }) @Type(() => NicIntent) nics!: NicIntent[]
  @IsOptional() @ValidateNested() @Type(() => KernelBoot) kernel!: KernelBoot | null
  /** The seed that `guests.ensureSeed` made is one of its drives. */
  @IsBoolean() seed!: boolean
  /** There is a channel to the agent in it. */
  @IsBoolean() channel!: boolean
  @IsIn(guestPowers) power!: GuestPower
  /** Before a stop that was asked for is forced. */
  @IsInt() @Min(0) @Max(3_600_000) stopGraceMs!: number
  @IsIn(restartPolicies) restartPolicy!: RestartPolicy
}
