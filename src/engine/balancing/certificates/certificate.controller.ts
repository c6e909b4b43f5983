import { Body, Delete, Get, Post, Put, Query } from '@nestjs/common'
import type { Caller } from '../../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../../platform/etag.js'
import { IdParam, Operation, RestController } from '../../platform/openapi.js'
import { PageOf, viewPage } from '../../platform/pages.js'
import { created } from '../../platform/reply.js'
import { Who } from '../../platform/who.js'
import {
  CertificateCreate,
  CertificatePut,
  CertificateQuery,
  CertificateView,
  viewCertificate,
} from './certificate.dto.js'
import { Certificates } from './certificates.service.js'

@RestController('certificates', 'Certificates', 'What listeners of TERMINATED_HTTPS show, with its key.')
export class CertificateController {
  constructor(private readonly certificates: Certificates) {}

  @Get()
  @Operation({
    id: 'certificates.list',
    allow: { project: 'viewer' },
    summary: 'List certificates',
    reply: [200, PageOf(CertificateView)],
  })
  async list(@Who() caller: Caller, @Query() query: CertificateQuery) {
    return viewPage(await this.certificates.list(caller, query), viewCertificate)
  }

  @Post()
  @Operation({
    id: 'certificates.create',
    allow: { project: 'operator' },
    summary: 'Upload a certificate with its key',
    description:
      'Refused when the key is of another certificate, the chain out of order, something expired, or the key weak.',
    reply: [201, CertificateView],
    etag: true,
    errors: ['name-taken'],
  })
  async create(@Who() caller: Caller, @Body() body: CertificateCreate) {
    const certificate = await this.certificates.create(caller, body)
    return created(viewCertificate(certificate), `/api/v1/certificates/${certificate.id}`)
  }

  @Get(':id')
  @Operation({
    id: 'certificates.get',
    allow: { project: 'viewer' },
    summary: 'Show a certificate',
    description: 'The key is never shown.',
    reply: [200, CertificateView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewCertificate(await this.certificates.require(caller, id))
  }

  @Put(':id')
  @Operation({
    id: 'certificates.put',
    allow: { project: 'operator' },
    summary: 'Renew a certificate in place',
    description: 'Every load balancer that shows it goes on with the new one: connections stay.',
    reply: [200, CertificateView],
    etag: true,
    errors: ['name-taken', 'in-use'],
  })
  async put(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: CertificatePut,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return viewCertificate(await this.certificates.renew(caller, id, body, ifMatch))
  }

  @Delete(':id')
  @Operation({
    id: 'certificates.delete',
    allow: { project: 'operator' },
    summary: 'Remove a certificate that no listener shows',
    reply: [204],
    errors: ['in-use'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    await this.certificates.delete(caller, id, ifMatch)
  }
}
