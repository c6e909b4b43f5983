import { randomBytes } from 'node:crypto'
import {
  Body,
  Controller,
  Delete,
  Get,
  Global,
  Injectable,
  Module,
  Param,
  Patch,
  Post,
  Query,
  Req,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { Type } from 'class-transformer'
import { IsArray, IsInt, IsObject, IsOptional, IsString, Length, Max, Min, ValidateNested } from 'class-validator'
import type { FastifyRequest } from 'fastify'
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm'
import { dataSourceOptions } from '../../../src/engine/data-source.js'
import { Access } from '../../../src/engine/platform/access.js'
import { anonymous } from '../../../src/engine/platform/caller.js'
import { subjectOf } from '../../../src/engine/platform/client-address.js'
import { Database } from '../../../src/engine/platform/database.js'
import { Conflict, NotFound, Unauthenticated, Unavailable } from '../../../src/engine/platform/errors.js'
import { type IfMatch, IfMatchHeader, requireMatch } from '../../../src/engine/platform/etag.js'
import { createHttpAdapter } from '../../../src/engine/platform/http-server.js'
import type { Listing } from '../../../src/engine/platform/listing.js'
import { IdParam, Operation, RestController, Tag } from '../../../src/engine/platform/openapi.js'
import { generateDocument } from '../../../src/engine/platform/openapi-generation.js'
import { serveReader } from '../../../src/engine/platform/openapi-reader.js'
import { Filter, PageOf, PageQuery, page, viewPage } from '../../../src/engine/platform/pages.js'
import { PlatformModule } from '../../../src/engine/platform/platform.module.js'
import { Readiness } from '../../../src/engine/platform/readiness.js'
import { created } from '../../../src/engine/platform/reply.js'
import { currentRequestId } from '../../../src/engine/platform/request-id.js'
import { Sealer, sealingKeyOf } from '../../../src/engine/platform/sealing.js'
import { type SettingKey, settingKeys } from '../../../src/engine/platform/setting-keys.js'
import { Settings } from '../../../src/engine/platform/settings.js'
import { SharedLimits } from '../../../src/engine/platform/shared-limits.js'
import { createTestDatabase } from '../../support/database.js'
import { type HttpClient, http } from '../../support/http.js'
import type { OpenApiDocument } from '../../support/openapi-check.js'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js'

/** A resource of nothing but rows, to try what every resource stands on. */
@Entity('toys')
export class Toy {
  @PrimaryColumn('uuid', { default: () => 'gen_random_uuid()' }) id!: string
  @Column('text') name!: string
  @Column('text') colour!: string
  @Column('integer', { nullable: true }) weight!: number | null
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) createdAt!: Date
}

const table = `CREATE TABLE toys (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, colour text NOT NULL, weight integer,
  generation integer NOT NULL DEFAULT 1, created_at timestamptz NOT NULL DEFAULT clock_timestamp())`

class Wheel {
  @ApiProperty() @IsInt() @Min(1) @Max(100) size!: number
}

class ToyCreate {
  @ApiProperty({ example: 'cart' }) @IsString() @Length(1, 100) name!: string
  @ApiPropertyOptional({ example: 'red' }) @IsOptional() @IsString() colour?: string
  @ApiPropertyOptional() @IsOptional() @IsInt() weight?: number
  @ApiPropertyOptional({ type: [Wheel] })
  @IsOptional()
  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Wheel)
  wheels?: Wheel[]
  @ApiPropertyOptional({ type: 'object', additionalProperties: true }) @IsOptional() @IsObject() labels?: object
}

class ToyUpdate {
  @ApiProperty() @IsString() @Length(1, 100) name!: string
}

class ToyView {
  @ApiProperty({ format: 'uuid' }) id!: string
  @ApiProperty({ example: 'cart' }) name!: string
  @ApiProperty({ example: 'red' }) colour!: string
  @ApiProperty({ type: 'integer', nullable: true }) weight!: number | null
  @ApiProperty({ type: 'integer' }) generation!: number
  @ApiProperty({ format: 'date-time' }) createdAt!: string
}

class ToyQuery extends PageQuery {
  @Filter({ enum: ['red', 'blue'] }) colour?: string[]
}

const viewToy = (toy: Toy): ToyView => ({ ...toy, createdAt: toy.createdAt.toISOString() })

const listing: Listing<Toy> = {
  entity: Toy,
  sortable: ['name', 'colour', 'weight', 'createdAt'],
  defaultSort: 'createdAt',
  filterable: ['colour'],
}

/** What the next handlers do beside their work. */
export const mischief: { beforeCommit?: () => Promise<void>; beforeReply?: () => Promise<void>; creations: number } = {
  creations: 0,
}

@Injectable()
class Toys {
  constructor(private readonly database: Database) {}

  async create(body: ToyCreate): Promise<Toy> {
    mischief.creations++
    if (body.name === 'taken') throw new Conflict('the name taken is taken', 'in-use', { users: ['somebody'] })
    if (body.name === 'later') throw new Unavailable('not now', 7)
    return this.database.transaction(async (tx) => {
      const toy = await tx.save(
        tx.create(Toy, { name: body.name, colour: body.colour ?? 'red', weight: body.weight ?? null }),
      )
      await mischief.beforeCommit?.()
      return toy
    })
  }

  list = (query: ToyQuery) => page(this.database.dataSource.manager, listing, query)

  async get(id: string): Promise<Toy> {
    const toy = await this.database.dataSource.manager.findOneBy(Toy, { id })
    if (!toy) throw new NotFound(`toy ${id}`)
    return toy
  }

  async rename(id: string, name: string, ifMatch: IfMatch | null): Promise<Toy> {
    const toy = await this.get(id)
    requireMatch(ifMatch, toy.generation)
    await this.database.dataSource.manager.update(Toy, { id }, { name, generation: toy.generation + 1 })
    return this.get(id)
  }

  async remove(id: string): Promise<void> {
    await this.database.dataSource.manager.delete(Toy, { id })
  }
}

@RestController('toys', 'Toys', 'What children play with.')
class ToyController {
  constructor(private readonly toys: Toys) {}

  @Get()
  @Operation({ id: 'toys.list', allow: 'anyone', summary: 'List toys', reply: [200, PageOf(ToyView)] })
  async list(@Query() query: ToyQuery) {
    return viewPage(await this.toys.list(query), viewToy)
  }

  @Post()
  @Operation({
    id: 'toys.create',
    allow: 'anyone',
    summary: 'Make a toy',
    reply: [201, ToyView],
    errors: ['in-use', 'unavailable'],
    etag: true,
  })
  async create(@Body() body: ToyCreate) {
    const toy = await this.toys.create(body)
    await mischief.beforeReply?.()
    return created(viewToy(toy), `/api/v1/toys/${toy.id}`)
  }

  @Get(':id')
  @Operation({ id: 'toys.get', allow: 'anyone', summary: 'Show a toy', reply: [200, ToyView], etag: true })
  async get(@IdParam() id: string) {
    return viewToy(await this.toys.get(id))
  }

  @Patch(':id')
  @Operation({ id: 'toys.update', allow: 'anyone', summary: 'Rename a toy', reply: [200, ToyView], etag: true })
  async update(@IdParam() id: string, @Body() body: ToyUpdate, @IfMatchHeader() ifMatch: IfMatch | null) {
    return viewToy(await this.toys.rename(id, body.name, ifMatch))
  }

  @Delete(':id')
  @Operation({ id: 'toys.remove', allow: 'anyone', summary: 'Throw a toy away', reply: [204] })
  async remove(@IdParam() id: string) {
    await this.toys.remove(id)
  }
}

@Controller('odd')
@Tag('Odd', 'What goes wrong.')
class OddController {
  constructor(private readonly limits: SharedLimits) {}

  @Get('broken')
  @Operation({ id: 'odd.broken', allow: 'anyone', summary: 'Fail', reply: [204] })
  broken(): void {
    throw new Error('the secret is swordfish')
  }

  @Get('text/:name')
  @Operation({ id: 'odd.text', allow: 'anyone', summary: 'Say a name', reply: [200, 'text/plain'] })
  text(@Param('name') name: string): string {
    return name
  }

  @Get('request-id')
  @Operation({ id: 'odd.requestId', allow: 'anyone', summary: 'Say the request id', reply: [200, 'text/plain'] })
  async requestId(): Promise<string> {
    await new Promise((resolve) => setImmediate(resolve))
    return String(currentRequestId())
  }

  @Post('sign-in')
  @Operation({
    id: 'odd.signIn',
    allow: 'anyone',
    guesses: 'sign-in',
    summary: 'Know the password',
    reply: [204],
    errors: ['unauthenticated'],
  })
  async signIn(@Body() { name }: ToyUpdate, @Req() request: FastifyRequest): Promise<void> {
    await this.limits.guess('sign-in', subjectOf(request), async () => {
      if (name === 'broken') throw new Error('the engine failed')
      if (name !== 'right') throw new Unauthenticated('that is not it')
    })
  }

  @Post('request-id')
  @Operation({ id: 'odd.requestIdOfBody', allow: 'anyone', summary: 'Say the request id', reply: [200, 'text/plain'] })
  requestIdOfBody(@Body() _body: ToyUpdate): string {
    return String(currentRequestId())
  }
}

export interface ToyEngine {
  readonly baseUrl: string
  readonly client: HttpClient
  readonly document: OpenApiDocument
  readonly database: Database
  /** The way to Postgres, which can be cut. */
  readonly wire: TcpProxy
  readonly readiness: Readiness
  stop(): Promise<void>
}

const NOBODY = '00000000-0000-4000-8000-000000000000'

/** An engine of toys alone, on a database of its own. */
export async function startToys(): Promise<ToyEngine> {
  const { url, drop } = await createTestDatabase()
  const wire = await startTcpProxy(url)
  const options = dataSourceOptions(wire.url, { poolSize: 10 })
  const dataSource = await new DataSource({ ...options, entities: [...options.entities, Toy] }).initialize()
  await dataSource.query(table)
  const database = new Database(dataSource)
  const sealer = new Sealer(sealingKeyOf(randomBytes(32)))
  const parts = [
    { provide: Database, useValue: database },
    { provide: Sealer, useValue: sealer },
    { provide: Settings, useValue: { get: (key: SettingKey) => settingKeys[key].default } },
  ]
  @Global()
  @Module({ providers: parts, exports: [Database, Sealer, Settings] })
  class DatabaseModule {}
  @Module({ imports: [DatabaseModule, PlatformModule], controllers: [ToyController, OddController], providers: [Toys] })
  class ToyModule {}
  const adapter = createHttpAdapter({
    httpBodyLimitBytes: 1024 * 1024,
    requestTimeoutMs: 5_000,
    drainTimeoutMs: 300,
    trustedProxies: [],
    hsts: false,
  })
  const app = await NestFactory.create<NestFastifyApplication>(ToyModule, adapter, {
    logger: false,
    abortOnError: false,
  })
  serveReader(app)
  app.get(Access).authenticatedBy(async () => ({ ...anonymous, userId: NOBODY, plane: 'admin', unlimited: true }))
  await app.listen(0, '127.0.0.1')
  const document = (await generateDocument(ToyModule)) as unknown as OpenApiDocument
  const baseUrl = await app.getUrl()
  return {
    baseUrl,
    client: http(baseUrl, { document }),
    document,
    database,
    wire,
    readiness: app.get(Readiness),
    stop: async () => {
      await app.close()
      await dataSource.destroy()
      await wire.cut()
      await drop()
    },
  }
}
