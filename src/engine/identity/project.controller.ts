import { Body, Delete, Get, Patch, Post, Put, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { ProjectCreate, ProjectQuery, ProjectUpdate, ProjectView, viewProject } from './project.dto.js'
import { Projects } from './projects.service.js'
import { QuotasPut, QuotasView, viewQuotas } from './quota.dto.js'

@RestController(
  'projects',
  'Projects',
  'What things belong to: who may see and change them, and how many there may be.',
)
export class ProjectController {
  constructor(private readonly projects: Projects) {}

  @Get()
  @Operation({
    id: 'projects.list',
    allow: { project: 'viewer' },
    summary: 'List the projects that the caller may see',
    reply: [200, PageOf(ProjectView)],
  })
  async list(@Who() caller: Caller, @Query() query: ProjectQuery) {
    return viewPage(await this.projects.list(caller, query), viewProject)
  }

  @Post()
  @Operation({
    id: 'projects.create',
    allow: { plane: 'admin' },
    summary: 'Make a project',
    reply: [201, ProjectView],
    etag: true,
    errors: ['name-taken'],
  })
  async create(@Body() body: ProjectCreate) {
    const project = await this.projects.create(body)
    return created(viewProject(project), `/api/v1/projects/${project.id}`)
  }

  @Get(':id')
  @Operation({
    id: 'projects.get',
    allow: { project: 'viewer' },
    summary: 'Show a project',
    reply: [200, ProjectView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewProject(await this.projects.require(caller, id))
  }

  @Patch(':id')
  @Operation({
    id: 'projects.update',
    allow: { plane: 'admin' },
    summary: 'Change the name or the description of a project',
    reply: [200, ProjectView],
    etag: true,
    errors: ['name-taken'],
  })
  async update(@IdParam() id: string, @Body() body: ProjectUpdate, @IfMatchHeader() ifMatch: IfMatch | null) {
    return viewProject(await this.projects.update(id, body, ifMatch))
  }

  @Delete(':id')
  @Operation({
    id: 'projects.delete',
    allow: { plane: 'admin' },
    summary: 'Remove a project that nothing belongs to',
    description: 'The default project stays. Roles in it, and tokens that are good for it alone, end.',
    reply: [204],
    errors: ['conflict', 'in-use'],
  })
  async delete(@IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    await this.projects.delete(id, ifMatch)
  }

  @Get(':id/quotas')
  @Operation({
    id: 'projects.quotas',
    allow: { project: 'viewer' },
    summary: 'Show what a project may have, and has',
    reply: [200, QuotasView],
    etag: true,
  })
  async quotas(@Who() caller: Caller, @IdParam() id: string) {
    return viewQuotas(await this.projects.quotasOf(caller, id))
  }

  @Put(':id/quotas')
  @Operation({
    id: 'projects.limit',
    allow: { plane: 'admin' },
    summary: 'Say what a project may have',
    description: 'What is left out has no limit. A limit below what is there takes nothing away.',
    reply: [200, QuotasView],
    etag: true,
  })
  async limit(@IdParam() id: string, @Body() body: QuotasPut, @IfMatchHeader() ifMatch: IfMatch | null) {
    return viewQuotas(await this.projects.limit(id, body, ifMatch))
  }
}
