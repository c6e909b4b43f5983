import type { OperationOptions } from './openapi.js'
import type { Schema } from './openapi-schemas.js'
import { type ProblemType, problems } from './problems.js'

export const methods = ['get', 'post', 'put', 'patch', 'delete'] as const
export type Method = (typeof methods)[number]

export interface Parameter {
  readonly name: string
  readonly in: string
  readonly schema?: Schema
}

interface Rule {
  readonly when: (method: Method, parameters: readonly Parameter[], options: OperationOptions) => boolean
  readonly gives: readonly ProblemType[]
}

/** What can go wrong by the shape of an operation alone. */
const rules: readonly Rule[] = [
  { when: () => true, gives: ['bad-request', 'invalid', 'internal', 'database-unavailable'] },
  { when: (_, parameters) => parameters.some((one) => one.in === 'path'), gives: ['not-found', 'uri-too-long'] },
  { when: (_, parameters) => parameters.some((one) => one.name === 'If-Match'), gives: ['precondition-failed'] },
  { when: (method) => method !== 'get', gives: ['malformed-body', 'body-too-large', 'unsupported-media-type'] },
  {
    when: (method, _, { everyTime }) => method === 'post' && !everyTime,
    gives: ['idempotency-key-in-use', 'idempotency-key-reused'],
  },
]

type Decision = Pick<OperationOptions, 'allow' | 'limit'>

/** What a caller who may not is told. */
function refusals({ allow, limit }: Decision): ProblemType[] {
  if (allow === 'anyone') return limit === 'none' ? [] : ['too-many-requests']
  const signedIn: ProblemType[] = ['too-many-requests', 'unauthenticated', 'cross-site', 'password-change-required']
  return allow === 'signed-in' ? signedIn : [...signedIn, 'forbidden']
}

/** The problems of an operation, those of one status together, in the order of their table. */
export function problemsByStatus(
  method: Method,
  parameters: readonly Parameter[],
  options: OperationOptions,
): ProblemType[][] {
  const applying = rules.filter((rule) => rule.when(method, parameters, options)).flatMap((rule) => rule.gives)
  const types = new Set([...applying, ...refusals(options), ...(options.errors ?? [])])
  const byStatus = new Map<number, ProblemType[]>()
  for (const type of Object.keys(problems) as ProblemType[]) {
    const { status } = problems[type]
    if (types.has(type)) byStatus.set(status, [...(byStatus.get(status) ?? []), type])
  }
  return [...byStatus.values()]
}
