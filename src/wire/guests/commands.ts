import 'reflect-metadata'
import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Max,
  MaxLength,
  Min,
  ValidateNested,
} from 'class-validator'
import { GuestIntent, ImageIntent, MAX_DISKS, NicIntent, VolumeIntent, VolumePlace } from './intent.js'
import { GuestTask } from './task.js'

export const MAX_OUTPUT_CHARS = 4_000
export const MAX_CONSOLE_CHARS = 65_536
export const MAX_WAIT_MS = 3_600_000

/** Have the files of an image, and know them for what they are. */
export class EnsureImage {
  @ValidateNested() @Type(() => ImageIntent) image!: ImageIntent
}

export class ImageEnsured {
  /** Of all its files. */
  @IsInt() @Min(0) sizeBytes!: number
  /** What a volume on it needs at least; 0: nothing is said. */
  @IsInt() @Min(0) minDiskMiB!: number
}

/** Let go of what was fetched of an image; what lay there before stays. */
export class RemoveImage {
  @ValidateNested() @Type(() => ImageIntent) image!: ImageIntent
}

/** `removed` when there was one, `absent` when there was nothing to do. */
export class GuestThingRemoved {
  @IsIn(['removed', 'absent']) outcome!: 'removed' | 'absent'
}

/** Be this volume: made of its origin where it is missing, grown where it is smaller. */
export class EnsureVolume {
  @ValidateNested() @Type(() => VolumeIntent) volume!: VolumeIntent
}

export class VolumeEnsured {
  @IsInt() @Min(0) sizeMiB!: number
  /** False: it was there. */
  @IsBoolean() made!: boolean
}

export class RemoveVolume {
  @ValidateNested() @Type(() => VolumePlace) volume!: VolumePlace
}

/** Have this NoCloud seed for the guest: `userData` and `sshKeys` are told as secrets of the command. */
export class EnsureSeed {
  @IsUUID() guestId!: string
  /** Changes when the guest is built anew, so that cloud-init runs once more. */
  @IsString() @Length(1, 64) instanceId!: string
  @IsString() @Length(1, 63) hostname!: string
  @IsArray() @ArrayMaxSize(8) @ValidateNested({ each: true }) @Type(() => NicIntent) nics!: NicIntent[]
  @IsArray() @ArrayMaxSize(50) @IsString({ each: true }) @MaxLength(4096, { each: true }) sshKeys!: string[]
  /** Whose the keys are; null: as the image has it. */
  @IsOptional() @IsString() @MaxLength(32) defaultUser!: string | null
  @IsOptional() @IsString() @MaxLength(65_536) userData?: string | null
}

export class SeedEnsured {
  @IsBoolean() made!: boolean
}

/** Be this guest from now on, whole: defined, and running, paused or stopped as it says. */
export class ApplyGuest {
  @ValidateNested() @Type(() => GuestIntent) guest!: GuestIntent
}

export class GuestApplied {
  /** Of the boot that it is in now; null: it is stopped. */
  @IsOptional() @IsString() @MaxLength(64) bootId!: string | null
  /** It had to be forced to stop. */
  @IsOptional() @IsBoolean() forced?: boolean
}

/** Begin another boot of it, now. `reset` as the button does; `restart` asks the guest first, and forces it after the grace. */
export class ResetGuest {
  @IsUUID() guestId!: string
  @IsIn(['reset', 'restart']) how!: 'reset' | 'restart'
}

/** Be this guest no more: its domain, its seed and its directories. Volumes are removed by themselves, after that. */
export class RemoveGuest {
  @IsUUID() guestId!: string
}

/** Have the guest's agent answer, in the boot that it is in. Waits for it no longer than this. */
export class PingGuest {
  @IsUUID() guestId!: string
  @IsInt() @Min(0) @Max(MAX_WAIT_MS) waitMs!: number
}

/** What came back is of this boot, and of this ping: it had a fresh token. */
export class Pong {
  @IsString() @Length(1, 64) bootId!: string
  @IsString() @MaxLength(64) agentVersion!: string
  @IsInt() @Min(0) roundTripMs!: number
  /** Attempts that were not answered before it. */
  @IsInt() @Min(0) unanswered!: number
}

export const messageKinds = ['prepare', 'run'] as const
export type MessageKind = (typeof messageKinds)[number]

/** Have this done in the guest once, in this boot or not at all. The task is told as a secret of the command. */
export class SendMessage {
  @IsUUID() guestId!: string
  @IsUUID() messageId!: string
  @IsIn(messageKinds) kind!: MessageKind
  /** Of the pong that it follows. */
  @IsString() @Length(1, 64) bootId!: string
  /** From its start in the guest. */
  @IsInt() @Min(1) @Max(MAX_WAIT_MS) runTimeoutMs!: number
  @IsOptional() @ValidateNested() @Type(() => GuestTask) task?: GuestTask
}

export class MessageDone {
  @IsInt() exitCode!: number
  /** The end of what it wrote. */
  @IsString() @MaxLength(MAX_OUTPUT_CHARS) output!: string
  /** The guest had done it before it was asked again. */
  @IsOptional() @IsBoolean() before?: boolean
}

/** Keep the guest's disks as they are now; `quiesce`: its file systems are frozen meanwhile, if its agent can. */
export class TakeSnapshot {
  @IsUUID() guestId!: string
  @IsUUID() snapshotId!: string
  @IsArray() @ArrayMaxSize(MAX_DISKS) @ValidateNested({ each: true }) @Type(() => VolumePlace) volumes!: VolumePlace[]
  @IsBoolean() quiesce!: boolean
}

export class SnapshotTaken {
  @IsBoolean() quiesced!: boolean
}

export class RemoveSnapshot {
  @IsUUID() guestId!: string
  @IsUUID() snapshotId!: string
  @IsArray() @ArrayMaxSize(MAX_DISKS) @ValidateNested({ each: true }) @Type(() => VolumePlace) volumes!: VolumePlace[]
}

/** Tell the end of what the guest has written to its serial console. */
export class ReadConsole {
  @IsUUID() guestId!: string
  @IsInt() @Min(1) @Max(MAX_CONSOLE_CHARS) chars!: number
}

export class ConsoleRead {
  @IsString() @MaxLength(MAX_CONSOLE_CHARS) text!: string
}
