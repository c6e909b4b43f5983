import 'reflect-metadata'
import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxLength,
  ValidateNested,
} from 'class-validator'

export const MAX_TASK_ITEMS = 100
export const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/
/** As distributions spell packages: `nginx`, `libc6:i386`, `g++=4:12.2`. */
export const PACKAGE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9.+~:=_-]{0,127}$/
export const ABSOLUTE_PATH = /^\/(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\p{Cc}]{1,1023}$/u
export const FILE_MODE = /^0[0-7]{3}$/
/** `name` or `name:group`. */
export const FILE_OWNER = /^[a-z_][a-z0-9_-]{0,31}(?::[a-z_][a-z0-9_-]{0,31})?$/
const MAX_CONTENT_CHARS = 131_072

export class TaskUser {
  @Matches(USER_NAME) name!: string
  @IsOptional() @IsString() @Length(1, 128) password?: string | null
  @IsArray() @ArrayMaxSize(20) @IsString({ each: true }) @MaxLength(4096, { each: true }) sshKeys!: string[]
  @IsArray() @ArrayMaxSize(20) @Matches(USER_NAME, { each: true }) groups!: string[]
  /** May become root without a password. */
  @IsBoolean() sudo!: boolean
}

export class TaskFile {
  @Matches(ABSOLUTE_PATH) path!: string
  @IsString() @MaxLength(MAX_CONTENT_CHARS) content!: string
  @Matches(FILE_MODE) mode!: string
  @Matches(FILE_OWNER) owner!: string
}

/** Program and arguments: no shell reads it. */
export class TaskCommand {
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(64)
  @IsString({ each: true })
  @MaxLength(8192, { each: true })
  argv!: string[]
}

/** What a message has done in its guest, in this order; the first that fails ends it. All of it may be secret. */
export class GuestTask {
  @IsArray() @ArrayMaxSize(MAX_TASK_ITEMS) @ValidateNested({ each: true }) @Type(() => TaskUser) users!: TaskUser[]
  @IsArray() @ArrayMaxSize(MAX_TASK_ITEMS) @Matches(PACKAGE_NAME, { each: true }) packages!: string[]
  @IsArray() @ArrayMaxSize(MAX_TASK_ITEMS) @ValidateNested({ each: true }) @Type(() => TaskFile) files!: TaskFile[]
  @IsArray()
  @ArrayMaxSize(MAX_TASK_ITEMS)
  @ValidateNested({ each: true })
  @Type(() => TaskCommand)
  commands!: TaskCommand[]
}
