import { Injectable, type OnModuleInit } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { Authentication } from '../../identity/authentication.js'
import { isTrustworthy } from '../../identity/loopback.js'
import { Access } from '../../platform/access.js'
import { anonymous, type Caller } from '../../platform/caller.js'
import { Unauthenticated } from '../../platform/errors.js'
import { Settings } from '../../platform/settings.js'

/** What OpenStack's clients send as a token where they are told that none is wanted. */
const NO_TOKEN = 'notused'

/** The nil UUID: whoever asks from this machine without credentials, where the setting lets them. */
const LOCAL_USER = '00000000-0000-0000-0000-000000000000'

/**
 * Who calls the Octavia API: an API token as `X-Auth-Token`, or as the password of its user or itself; or nobody, who then is
 * of the project that `octavia.anonymousProject` names. None of it is anything to other routes.
 */
@Injectable()
export class OctaviaCredentials implements OnModuleInit {
  constructor(
    private readonly access: Access,
    private readonly authentication: Authentication,
    private readonly settings: Settings,
  ) {}

  onModuleInit(): void {
    this.access.authenticatedBy((request) => this.callerOf(request), 'octavia')
  }

  private async callerOf(request: FastifyRequest): Promise<Caller> {
    const { 'x-auth-token': token, authorization } = request.headers
    if (token !== undefined && token !== NO_TOKEN) return this.byToken(String(token), request)
    if (authorization !== undefined) return this.byAuthorization(authorization, request)
    const [projectId] = this.settings.list('octavia.anonymousProject')
    return projectId !== undefined && isOfThisMachine(request) ? localCaller(projectId) : anonymous
  }

  private async byToken(token: string, { method }: FastifyRequest): Promise<Caller> {
    return (await this.authentication.knownByToken(token, method)).caller
  }

  private async byAuthorization(authorization: string, request: FastifyRequest): Promise<Caller> {
    const [, scheme = '', text = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(authorization) ?? []
    if (scheme.toLowerCase() !== 'basic') return this.byToken(text, request)
    const [name, password] = readBasic(text)
    const { caller, names } = await this.authentication.knownByToken(password, request.method)
    if (!names.includes(name)) throw new Unauthenticated('the token is neither called so, nor of such a user')
    return caller
  }
}

function readBasic(text: string): [name: string, password: string] {
  const decoded = Buffer.from(text, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  return [decoded.slice(0, Math.max(colon, 0)), decoded.slice(colon + 1)]
}

const localCaller = (projectId: string): Caller => ({
  ...anonymous,
  userId: LOCAL_USER,
  name: 'nobody (without credentials, from this machine)',
  projects: new Map([[projectId, 'admin']]),
})

export const isLocalCaller = ({ userId }: Caller): boolean => userId === LOCAL_USER

/** What a proxy adds, or a browser on behalf of a page: who really asks may be anywhere. */
const ofSomebodyElse = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-real-ip',
  'via',
  'origin',
  'sec-fetch-site',
]

/** The connection itself comes from loopback, to a name of loopback, and nobody speaks for somebody else. */
export function isOfThisMachine(request: FastifyRequest): boolean {
  const { remoteAddress } = request.raw.socket
  if (!remoteAddress || !ipaddr.isValid(remoteAddress)) return false
  if (ipaddr.process(remoteAddress).range() !== 'loopback') return false
  if (ofSomebodyElse.some((name) => request.headers[name] !== undefined)) return false
  return isTrustworthy(`http://${request.headers.host ?? ''}`)
}
