import { type ProblemType, problems, problemUrn } from './problems.js'

const REQUEST_ID = '5f0c6a52-6c8f-4d0e-9d7a-0f3f7c1f2b11'

/** RFC 9457 as a schema; extension members are part of it. */
export const problemSchema = {
  type: 'object',
  description: 'RFC 9457. The type is stable and is what a program looks at; the detail is for people.',
  required: ['type', 'title', 'status', 'detail', 'instance', 'requestId'],
  properties: {
    type: { type: 'string', pattern: '^urn:keelson:problem:[a-z-]+$' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: { type: 'string' },
    instance: { type: 'string', description: 'The path that was asked for.' },
    requestId: { type: 'string', description: 'As in X-Request-Id and in the log.' },
    faults: {
      type: 'array',
      description: 'Of bad input, each fault by its field.',
      items: {
        type: 'object',
        required: ['field', 'message'],
        properties: {
          field: { type: 'string', description: 'Path of the field: `members[0].address`; empty for the whole body.' },
          message: { type: 'string' },
          code: { type: 'string', description: 'The rule that it breaks.' },
        },
      },
    },
  },
  additionalProperties: true,
}

/** An example document of each type, by type. */
export const problemExamples = Object.fromEntries(
  Object.entries(problems).map(([type, { status, title }]) => {
    const standard = {
      type: problemUrn(type),
      title,
      status,
      detail: title,
      instance: '/api/v1/hosts',
      requestId: REQUEST_ID,
    }
    const faults =
      type === 'invalid' ? { faults: [{ field: 'name', message: 'name must be a string', code: 'isString' }] } : {}
    return [type, { summary: title, value: { ...standard, ...faults } }]
  }),
)

/** One response of the document for all the problems of one status. */
export function problemResponse(types: readonly ProblemType[]) {
  const status = types[0] ? problems[types[0]].status : 500
  return {
    description: `${types.map((type) => `\`${type}\`: ${problems[type].title}`).join('; ')}.`,
    headers: {
      'X-Request-Id': { $ref: '#/components/headers/RequestId' },
      ...(status === 503 || status === 429 ? { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } : {}),
    },
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(types.map((type) => [type, { $ref: `#/components/examples/${type}` }])),
      },
    },
  }
}

/** `ConflictOrInUse`: the same problems are one component, whichever operations have them. */
export const problemResponseName = (types: readonly ProblemType[]): string => types.map(pascal).join('Or')

const pascal = (type: string): string => type.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase())
