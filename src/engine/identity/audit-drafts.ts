import { scrub } from '../../log/redaction.js'
import type { AuditedCall, Outcome } from '../platform/audited-call.js'
import { addressOf } from '../platform/client-address.js'

/** A row to be written. What a call carried in its body or query is never part of it. */
export interface AuditDraft {
  readonly requestId: string | null
  readonly userId: string | null
  readonly userName: string
  readonly tokenId: string | null
  readonly address: string
  readonly operation: string | null
  readonly method: string
  readonly path: string
  readonly subjects: readonly string[]
  readonly projectId: string | null
  readonly status: number
  readonly problem: string | null
  readonly corrects: number | null
}

const MAX_PATH = 1_024
const MAX_TEXT = 512

type Described = Pick<AuditedCall, 'request' | 'who' | 'operation' | 'subjects' | 'projectId'>

/** What is known of a call when its outcome is decided. */
export function draftOf(call: Described, outcome: Outcome, corrects: number | null = null): AuditDraft {
  const { request, who } = call
  const route = subjectOf(request.routeOptions.url, request.params)
  return {
    requestId: request.id,
    userId: who?.userId ?? null,
    userName: plain(who?.name ?? 'anonymous', MAX_TEXT),
    tokenId: who?.tokenId ?? null,
    address: addressOf(request),
    operation: call.operation,
    method: request.method,
    path: plain(request.url.split('?', 1)[0] ?? '', MAX_PATH),
    subjects: [...new Set([...(route ? [route] : []), ...call.subjects])].map((subject) => plain(subject, MAX_TEXT)),
    projectId: call.projectId,
    status: outcome.status,
    problem: outcome.problem,
    corrects,
  }
}

/** A row about the audit log itself. */
export const byPlane = (operation: string, path: string, subjects: readonly string[] = []): AuditDraft => ({
  requestId: null,
  userId: null,
  userName: 'keelson',
  tokenId: null,
  address: 'local',
  operation,
  method: '',
  path,
  subjects,
  projectId: null,
  status: 200,
  problem: null,
  corrects: null,
})

/** `/api/v1/hosts/:id/maintenance` with its parameters is `host/<id>`: the noun of the last one, and all of them. */
export function subjectOf(route: string | undefined, parameters: unknown): string | null {
  const segments = (route ?? '').split('/')
  const last = segments.findLastIndex((segment) => segment.startsWith(':'))
  const noun = segments[last - 1]
  if (!noun || typeof parameters !== 'object' || parameters === null) return null
  const given = parameters as Readonly<Record<string, unknown>>
  const values = segments.filter((segment) => segment.startsWith(':')).map((segment) => given[segment.slice(1)])
  return [singular(noun), ...values].join('/')
}

const singular = (noun: string): string => noun.replace(/ies$/, 'y').replace(/s$/, '')

/**
 * As Postgres and JSON both can hold it, half surrogate pairs made whole, and no longer than a row should be; a token that
 * somebody wrote into a path is not kept for a year.
 */
const plain = (text: string, length: number): string =>
  Buffer.from(scrub(text).replaceAll('\0', '').slice(0, length)).toString()
