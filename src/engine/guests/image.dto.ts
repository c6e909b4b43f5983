import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsUrl,
  IsUUID,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator'
import { MAX_SIZE_MIB, RELATIVE_PATH, SHA256 } from '../../wire/guests/intent.js'
import { USER_NAME } from '../../wire/guests/task.js'
import { type ImageFileRole, type ImageFormat, imageFileRoles, imageFormats } from '../../wire/guests/terms.js'
import { CONNECTION_ID } from '../../wire/storage/connection-id.js'
import { IsLine } from '../balancing/balancing-input.js'
import { MayBeLeftOut } from '../platform/left-out.js'
import { Filter, PageQuery } from '../platform/pages.js'
import type { Image } from './image.entity.js'

export class ImageFileInput {
  /** `disk` of a qcow2 or raw image; `kernel` and `initrd` of a kernel. */
  @IsIn(imageFileRoles)
  role!: ImageFileRole

  /**
   * On the image's connection, below its root.
   * @example images/debian-12.qcow2
   */
  @Matches(RELATIVE_PATH, { message: 'path must be relative, and stay below the root' })
  path!: string

  /**
   * Where hosts fetch it from, if it is not there. Left out: it has to be there.
   * @example https://cloud.example/debian-12.qcow2
   */
  @IsOptional()
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false })
  url?: string | null

  /**
   * What it has to be; needed with a `url`.
   * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
   */
  @MayBeLeftOut()
  @Matches(SHA256, { message: 'sha256 must be 64 hexadecimal digits' })
  sha256?: string | null
}

export class ImageCreate {
  /**
   * The project that it is to belong to, for good. Left out: the default project if the caller is an operator there, or the only
   * one in which they are; 422 if there are several.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @MayBeLeftOut()
  @IsUUID()
  projectId?: string

  /**
   * Unique in its project.
   * @example debian-12
   */
  @IsLine(128, 1)
  name!: string

  /** @example Debian 12 with cloud-init and qemu-guest-agent */
  @MayBeLeftOut()
  @IsLine(500)
  description?: string

  /** `kernel`: a kernel and an initrd that are started directly. */
  @IsIn(imageFormats)
  format!: ImageFormat

  /**
   * The storage connection that its files are on, under the same id on every host that is to have guests of it.
   * @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77
   */
  @Matches(CONNECTION_ID)
  connectionId!: string

  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(2)
  @ValidateNested({ each: true })
  @Type(() => ImageFileInput)
  files!: ImageFileInput[]

  /**
   * Of a kernel.
   * @example console=ttyS0
   */
  @MayBeLeftOut()
  @IsLine(2048)
  commandLine?: string

  /** @example debian */
  @MayBeLeftOut()
  @IsLine(64)
  os?: string

  /**
   * The user that cloud-init gives the keys to; left out: as the image has it.
   * @example debian
   */
  @IsOptional()
  @Matches(USER_NAME)
  defaultUser?: string | null

  /** It carries the QEMU guest agent. Nothing can be said to guests of one that does not. */
  @IsBoolean()
  hasAgent!: boolean

  /**
   * The first disk of a guest is at least so large.
   * @example 2048
   */
  @MayBeLeftOut()
  @IsInt()
  @Min(0)
  @Max(MAX_SIZE_MIB)
  minDiskMiB?: number
}

export class ImageQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Images of these projects.' }) projectId?: string[]
  @Filter({ description: 'Images of these names.' }) name?: string[]
  @Filter({ enum: imageFormats, description: 'Images of these formats.' }) format?: ImageFormat[]
}

export class ImageFileView {
  role!: ImageFileRole
  /** @example images/debian-12.qcow2 */
  path!: string
  url!: string | null
  sha256!: string | null
}

export class ImageView {
  /** @example 2f1b0c9d-8e7f-4a6b-9c5d-4e3f2a1b0c9d */
  id!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example debian-12 */
  name!: string
  /** @example Debian 12 with cloud-init and qemu-guest-agent */
  description!: string
  format!: ImageFormat
  /** @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77 */
  connectionId!: string
  files!: ImageFileView[]
  /** @example console=ttyS0 */
  commandLine!: string
  /** @example debian */
  os!: string
  defaultUser!: string | null
  /** @example true */
  hasAgent!: boolean
  /** @example 2048 */
  minDiskMiB!: number
  /**
   * What the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export const viewImage = (row: Image): ImageView => ({
  id: row.id,
  projectId: row.projectId,
  name: row.name,
  description: row.description,
  format: row.format,
  connectionId: row.connectionId,
  files: row.files.map(({ role, path, url, sha256 }) => ({ role, path, url, sha256 })),
  commandLine: row.commandLine,
  os: row.os,
  defaultUser: row.defaultUser,
  hasAgent: row.hasAgent,
  minDiskMiB: row.minDiskMib,
  generation: row.generation,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
})
