import { ApiPropertyOptional } from '@nestjs/swagger'
import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  IsArray,
  IsDefined,
  IsObject,
  IsString,
  IsUUID,
  Length,
  Matches,
  ValidateIf,
  ValidateNested,
} from 'class-validator'
import { IsLabels } from '../hosts/labels.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { IsCredentials } from './credentials.js'
import { IsOptions } from './options.js'

const MAX_HOSTS = 500
const NAME = /^[^\p{Cc}]{1,128}$/u

/** Hosts with all of the labels, and those that are named; but not those that are excepted. */
export class StorageSelectorInput {
  /**
   * Hosts that have all of these; `{}`: every host. Left out: none by its labels.
   * @example { "rack": "a1" }
   */
  @ValidateIf((selector: StorageSelectorInput) => selector.labels !== undefined)
  @IsObject()
  @IsLabels()
  labels?: Record<string, string>

  /**
   * These as well, whatever their labels.
   * @example ["0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11"]
   */
  @ValidateIf((selector: StorageSelectorInput) => selector.hostIds !== undefined)
  @IsArray()
  @ArrayMaxSize(MAX_HOSTS)
  @IsUUID('all', { each: true })
  hostIds?: string[]

  /**
   * Not these, whatever else holds: one that is to be removed, for example.
   * @example []
   */
  @ValidateIf((selector: StorageSelectorInput) => selector.exceptHostIds !== undefined)
  @IsArray()
  @ArrayMaxSize(MAX_HOSTS)
  @IsUUID('all', { each: true })
  exceptHostIds?: string[]
}

/** All of it: what is left out of the arguments is none, but for credentials, which stay. */
export class StoragePut {
  /**
   * Unique in its project.
   * @example images
   */
  @Matches(NAME, { message: '$property must have 1 to 128 characters, none of them a control character' })
  name!: string

  /**
   * As of a storage connection.
   * @example posix:///srv/disk.img?fstype=ext4
   */
  @IsString()
  @Length(1, 2048)
  uri!: string

  /**
   * Options of the scheme's driver, each a text.
   * @example { "ro": "true" }
   */
  @ValidateIf((storage: StoragePut) => storage.options !== undefined)
  @IsOptions()
  options?: Record<string, string>

  /**
   * Secrets of the scheme's driver. They are sealed, sent to hosts and never shown; left out, those that are held stay; `{}` takes
   * them away.
   * @example { "chapPassword": "correct horse battery staple" }
   */
  @ApiPropertyOptional({ writeOnly: true })
  @ValidateIf((storage: StoragePut) => storage.credentials !== undefined)
  @IsCredentials()
  credentials?: Record<string, string>

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => StorageSelectorInput)
  selector!: StorageSelectorInput
}

export class StorageCreate extends StoragePut {
  /**
   * The project that it is to belong to, for good. Left out: the default project if the caller is an operator there, or the only
   * one in which they are; 422 if there are several.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @ValidateIf((storage: StorageCreate) => storage.projectId !== undefined)
  @IsUUID()
  projectId?: string
}

/** What is left out stays. */
export class StorageUpdate {
  /** @example images */
  @ValidateIf((storage: StorageUpdate) => storage.name !== undefined)
  @Matches(NAME, { message: '$property must have 1 to 128 characters, none of them a control character' })
  name?: string

  /** @example posix:///srv/disk.img?fstype=ext4 */
  @ValidateIf((storage: StorageUpdate) => storage.uri !== undefined)
  @IsString()
  @Length(1, 2048)
  uri?: string

  /**
   * Replaces all options.
   * @example { "ro": "true" }
   */
  @ValidateIf((storage: StorageUpdate) => storage.options !== undefined)
  @IsOptions()
  options?: Record<string, string>

  /**
   * Replaces all credentials.
   * @example { "chapPassword": "correct horse battery staple" }
   */
  @ApiPropertyOptional({ writeOnly: true })
  @ValidateIf((storage: StorageUpdate) => storage.credentials !== undefined)
  @IsCredentials()
  credentials?: Record<string, string>

  /** Replaces the selector. */
  @ValidateIf((storage: StorageUpdate) => storage.selector !== undefined)
  @IsObject()
  @ValidateNested()
  @Type(() => StorageSelectorInput)
  selector?: StorageSelectorInput
}

export class StorageQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Storages of these projects.' }) projectId?: string[]
  @Filter({ description: 'Storages of these names.' }) name?: string[]
}
