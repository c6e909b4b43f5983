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
import {
  ABSOLUTE_PATH,
  FILE_MODE,
  FILE_OWNER,
  type GuestTask,
  MAX_TASK_ITEMS,
  PACKAGE_NAME,
  USER_NAME,
} from '../../wire/guests/task.js'
import { MayBeLeftOut } from '../platform/left-out.js'

const MAX_CONTENT_CHARS = 131_072

export class TaskUserInput {
  /** @example deploy */
  @Matches(USER_NAME)
  name!: string

  /**
   * Never shown again.
   * @example correct horse battery staple
   */
  @IsOptional()
  @IsString()
  @Length(1, 128)
  password?: string | null

  /** @example ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5 somebody"] */
  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(20)
  @IsString({ each: true })
  @MaxLength(4096, { each: true })
  sshKeys?: string[]

  /** @example ["www-data"] */
  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(20)
  @Matches(USER_NAME, { each: true })
  groups?: string[]

  /** May become root without a password. */
  @MayBeLeftOut()
  @IsBoolean()
  sudo?: boolean
}

export class TaskFileInput {
  /** @example /etc/motd */
  @Matches(ABSOLUTE_PATH)
  path!: string

  /**
   * Never shown again.
   * @example hello
   */
  @IsString()
  @MaxLength(MAX_CONTENT_CHARS)
  content!: string

  /**
   * Left out: 0644.
   * @example 0644
   */
  @MayBeLeftOut()
  @Matches(FILE_MODE)
  mode?: string

  /**
   * Left out: root:root.
   * @example root:root
   */
  @MayBeLeftOut()
  @Matches(FILE_OWNER)
  owner?: string
}

export class TaskCommandInput {
  /**
   * The program and its arguments: no shell reads them.
   * @example ["systemctl", "enable", "nginx"]
   */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(64)
  @IsString({ each: true })
  @MaxLength(8192, { each: true })
  argv!: string[]
}

/** What is done in the guest, once and in this order; the first that fails ends it. */
export class GuestTaskInput {
  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(MAX_TASK_ITEMS)
  @ValidateNested({ each: true })
  @Type(() => TaskUserInput)
  users?: TaskUserInput[]

  /** @example ["nginx"] */
  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(MAX_TASK_ITEMS)
  @Matches(PACKAGE_NAME, { each: true })
  packages?: string[]

  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(MAX_TASK_ITEMS)
  @ValidateNested({ each: true })
  @Type(() => TaskFileInput)
  files?: TaskFileInput[]

  @MayBeLeftOut()
  @IsArray()
  @ArrayMaxSize(MAX_TASK_ITEMS)
  @ValidateNested({ each: true })
  @Type(() => TaskCommandInput)
  commands?: TaskCommandInput[]
}

export const taskOf = ({ users = [], packages = [], files = [], commands = [] }: GuestTaskInput): GuestTask => ({
  users: users.map(({ name, password, sshKeys = [], groups = [], sudo = false }) => {
    return { name, password: password ?? null, sshKeys, groups, sudo }
  }),
  packages,
  files: files.map(({ path, content, mode = '0644', owner = 'root:root' }) => ({ path, content, mode, owner })),
  commands: commands.map(({ argv }) => ({ argv })),
})
