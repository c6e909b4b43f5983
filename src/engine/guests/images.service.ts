import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { ImageFileRole, ImageFormat } from '../../wire/guests/terms.js'
import type { EventType } from '../events/event-types.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { chosenProject, projectMissing } from '../identity/chosen-project.js'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, sqlState } from '../platform/database.js'
import { Conflict, type FieldFault, Invalid, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { UsersOf } from '../platform/users-of.js'
import type { ImageCreate, ImageQuery } from './image.dto.js'
import { Image } from './image.entity.js'

const listing: Listing<Image> = {
  entity: Image,
  sortable: ['name', 'createdAt'],
  defaultSort: 'name',
  filterable: ['projectId', 'name', 'format'],
}

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'

/** What each format is made of; an initrd may be missing. */
const rolesOf: Readonly<Record<ImageFormat, readonly ImageFileRole[]>> = {
  qcow2: ['disk'],
  raw: ['disk'],
  kernel: ['kernel', 'initrd'],
}

/** Images as they are said to be. No host is told of one before a guest there is made of it. */
@Injectable()
export class Images {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly users: UsersOf,
  ) {}

  list(caller: Caller, query: ImageQuery): Promise<Page<Image>> {
    return page(this.database.dataSource.manager, listing, query, inProjectsOf(caller))
  }

  async require(caller: Caller, id: string, tx = this.database.dataSource.manager): Promise<Image> {
    const found = await tx.findOneBy(Image, { id })
    if (!found) throw new NotFound(`image ${id}`)
    requireInProject(caller, found.projectId, 'viewer', `image ${id}`)
    return found
  }

  async create(caller: Caller, body: ImageCreate): Promise<Image> {
    requireFiles(body)
    const projectId = chosenProject(caller, body.projectId)
    if (!projectId) throw projectMissing()
    const { name, format, connectionId, hasAgent } = body
    const id = randomUUID()
    const row = {
      ...{ id, projectId, name, format, connectionId, hasAgent },
      description: body.description ?? '',
      files: body.files.map(({ role, path, url, sha256 }) => ({
        role,
        path,
        url: url ?? null,
        sha256: sha256 ?? null,
      })),
      commandLine: body.commandLine ?? '',
      os: body.os ?? '',
      defaultUser: body.defaultUser ?? null,
      minDiskMib: body.minDiskMiB ?? 0,
    }
    try {
      return await this.database.transaction(async (tx) => {
        await tx.insert(Image, row)
        const image = await tx.findOneByOrFail(Image, { id })
        await this.events.append(tx, [imageEvent('guests.image.created', image)])
        return image
      })
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION)
        throw new Conflict(`an image of the project is called ${name} already`, 'name-taken')
      if (sqlState(error) === FOREIGN_KEY_VIOLATION) throw new NotFound(`project ${projectId}`)
      throw error
    }
  }

  /** Its files stay where they are. */
  async delete(caller: Caller, id: string, ifMatch: IfMatch | null): Promise<void> {
    const { projectId } = await this.require(caller, id)
    requireInProject(caller, projectId, 'operator', `image ${id}`)
    await this.database.transaction(async (tx) => {
      const image = await tx.findOne(Image, { where: { id }, lock: { mode: 'pessimistic_write' } })
      if (!image) throw new NotFound(`image ${id}`)
      requireMatch(ifMatch, image.generation)
      await this.users.requireUnused(tx, 'image', id)
      await tx.delete(Image, { id })
      await this.events.append(tx, [imageEvent('guests.image.deleted', image)])
    })
  }
}

const imageEvent = (type: EventType, { id, projectId, name, format }: Image): EventDraft => ({
  type,
  subject: `image/${id}`,
  projectId,
  payload: { name, format },
})

function requireFiles({ format, files }: ImageCreate): void {
  const faults: FieldFault[] = []
  const roles = files.map(({ role }) => role)
  const [needed] = rolesOf[format]
  if (new Set(roles).size < roles.length) faults.push({ field: 'files', message: 'has one role twice' })
  if (needed && !roles.includes(needed))
    faults.push({ field: 'files', message: `${format} needs a file of role ${needed}` })
  for (const [i, { role, url, sha256 }] of files.entries()) {
    if (!rolesOf[format].includes(role)) faults.push({ field: `files.${i}.role`, message: `${format} has no ${role}` })
    if (url && !sha256) faults.push({ field: `files.${i}.sha256`, message: 'is needed with a url' })
  }
  if (faults.length > 0) throw new Invalid('the files are none of such an image', faults)
}
