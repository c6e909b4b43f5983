import type { OpenAPIObject } from '@nestjs/swagger'
import type { Allow } from './caller.js'
import { ALLOW, OPERATION, type OperationOptions, tagDescription } from './openapi.js'
import { headers, parameters, securitySchemes } from './openapi-components.js'
import { type Method, methods, type Parameter, problemsByStatus } from './openapi-errors.js'
import { exampleOf } from './openapi-examples.js'
import { problemExamples, problemResponse, problemResponseName, problemSchema } from './openapi-problems.js'
import { close, refine, type Schema, type Schemas } from './openapi-schemas.js'
import { type ProblemType, problems } from './problems.js'

type Json = Record<string, unknown>

interface MediaType {
  schema?: Schema
  example?: unknown
}

interface RawOperation extends Json {
  parameters?: Parameter[]
  requestBody?: { content: Record<string, MediaType> }
  responses: Record<string, Json & { content?: Record<string, MediaType> }>
  tags?: string[]
}

const ref = (kind: string, name: string) => ({ $ref: `#/components/${kind}/${name}` })

/**
 * The generator's document, made whole: every error that follows from the shape of a route, headers, examples; in one order,
 * without what nothing refers to. A route without `@Operation` is an error.
 */
export function completeDocument(raw: OpenAPIObject): OpenAPIObject {
  const schemas: Schemas = { ...(raw.components?.schemas as Schemas | undefined), Problem: problemSchema }
  for (const parameter of parametersOf(raw)) if (parameter.schema) refine(parameter.schema)
  for (const schema of Object.values(schemas)) refine(schema)
  for (const schema of bodySchemas(raw)) close(schema, schemas)
  const responses: Json = {}
  const paths: Json = {}
  for (const [path, item] of sorted(raw.paths as Record<string, Json>)) {
    const operations = methods.filter((method) => item[method])
    paths[path] = Object.fromEntries(
      operations.map((method) => [
        method,
        complete(`${method} ${path}`, method, item[method] as RawOperation, schemas, responses),
      ]),
    )
  }
  const components = {
    headers,
    parameters,
    examples: problemExamples,
    responses: Object.fromEntries(sorted(responses)),
    schemas,
    securitySchemes,
  }
  const document = { ...raw, tags: tagsOf(paths), security: [], paths, components } as unknown as OpenAPIObject
  return prune(document)
}

function complete(where: string, method: Method, raw: RawOperation, schemas: Schemas, shared: Json): Json {
  const { [OPERATION]: given, ...operation } = raw
  const options = given as OperationOptions | undefined
  if (!options) throw new Error(`${where} has no @Operation`)
  const status = String(options.reply[0])
  const success = operation.responses[status]
  if (!success) throw new Error(`${options.id} declares no reply ${status}`)
  // replies that the generator guessed from the method's return type are left out
  const found: Json = { [status]: { ...success, headers: successHeaders(method, options) } }
  addExample(success.content, schemas, options.example)
  addExample(operation.requestBody?.content, schemas, options.requestExample)
  for (const types of problemsByStatus(method, operation.parameters ?? [], options)) {
    const name = problemResponseName(types)
    shared[name] ??= problemResponse(types)
    found[problems[types[0] as ProblemType].status] = ref('responses', name)
  }
  const { id: operationId, summary, allow } = options
  const description = [options.description, needs(allow)].filter(Boolean).join(' ')
  return {
    operationId,
    summary,
    ...(description ? { description } : {}),
    [ALLOW]: allow,
    security: allow === 'anyone' ? [] : [{ token: [] }, { session: [] }],
    tags: operation.tags,
    parameters: [
      ...(operation.parameters ?? []),
      ...(method === 'post' && !options.everyTime ? [ref('parameters', 'IdempotencyKey')] : []),
      ref('parameters', 'RequestId'),
    ],
    ...(operation.requestBody ? { requestBody: operation.requestBody } : {}),
    responses: found,
  }
}

/** In a caller's words. */
function needs(allow: Allow): string {
  if (typeof allow === 'string') return ''
  if ('plane' in allow) return `Needs the role ${allow.plane} in the plane.`
  return `Needs the role ${allow.project} in the project that it belongs to, or in the plane.`
}

function successHeaders(method: Method, { reply: [status], etag, limit, everyTime }: OperationOptions): Json {
  return {
    'X-Request-Id': ref('headers', 'RequestId'),
    ...(limit === 'none'
      ? {}
      : { RateLimit: ref('headers', 'RateLimit'), 'RateLimit-Policy': ref('headers', 'RateLimitPolicy') }),
    ...(etag ? { ETag: ref('headers', 'ETag') } : {}),
    ...([201, 202, 302].includes(status) ? { Location: ref('headers', 'Location') } : {}),
    ...(method === 'post' && !everyTime ? { 'Idempotency-Replayed': ref('headers', 'IdempotencyReplayed') } : {}),
  }
}

function addExample(content: Record<string, MediaType> | undefined, schemas: Schemas, given: unknown): void {
  for (const media of Object.values(content ?? {})) media.example = given ?? exampleOf(media.schema ?? {}, schemas)
}

function tagsOf(paths: Json): { name: string; description?: string }[] {
  const used = new Set(operationsOf(paths).flatMap((operation) => operation.tags ?? []))
  return [...used].sort().map((name) => ({ name, description: tagDescription(name) }))
}

const parametersOf = (raw: OpenAPIObject): Parameter[] =>
  operationsOf(raw.paths as unknown as Json).flatMap((operation) => operation.parameters ?? [])

const bodySchemas = (raw: OpenAPIObject): Schema[] =>
  operationsOf(raw.paths as unknown as Json)
    .flatMap((operation) => Object.values(operation.requestBody?.content ?? {}))
    .flatMap((media) => media.schema ?? [])

const operationsOf = (paths: Json): RawOperation[] =>
  Object.values(paths).flatMap((item) => Object.values(item as Record<string, RawOperation>))

/** Drops components that nothing refers to, until none is left: one may be there for another alone. */
function prune(document: OpenAPIObject): OpenAPIObject {
  const components = document.components as unknown as Record<string, Json>
  for (let dropped = true; dropped; ) {
    dropped = false
    const text = JSON.stringify(document)
    for (const [kind, entries] of Object.entries(components)) {
      if (kind === 'securitySchemes') continue
      const kept = sorted(entries).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`))
      dropped ||= kept.length < Object.keys(entries).length
      components[kind] = Object.fromEntries(kept)
    }
  }
  return document
}

const sorted = <T>(object: Record<string, T>): [string, T][] =>
  Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))
