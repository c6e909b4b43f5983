import { Body, Get, Post, Query } from '@nestjs/common'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { HostView, viewHost } from './host.dto.js'
import {
  HostCertificateQuery,
  HostCertificateView,
  RevocationRequest,
  viewHostCertificate,
} from './host-certificate.dto.js'
import { HostRevocation } from './host-revocation.service.js'

@RestController('hosts/:id', 'Hosts')
export class HostCertificateController {
  constructor(private readonly revocation: HostRevocation) {}

  @Get('certificates')
  @Operation({
    id: 'hostCertificates.list',
    allow: { plane: 'viewer' },
    summary: 'List the certificates that a host was given',
    reply: [200, PageOf(HostCertificateView)],
  })
  async list(@IdParam() id: string, @Query() query: HostCertificateQuery) {
    return viewPage(await this.revocation.certificates(id, query), viewHostCertificate)
  }

  @Post('revoke')
  @Operation({
    id: 'hosts.revoke',
    allow: { plane: 'admin' },
    summary: 'Revoke the certificates of a host, and end its session',
    description: 'It comes back with a join token that replaces it. What runs there goes on running.',
    reply: [200, HostView],
    etag: true,
  })
  async revoke(@IdParam() id: string, @Body() body: RevocationRequest) {
    return viewHost(await this.revocation.revoke(id, body.reason))
  }
}
