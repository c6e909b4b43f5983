/** As much of a JSON schema as our classes use. */
export interface Schema {
  readonly $ref?: string
  type?: string | string[]
  format?: string
  enum?: unknown[]
  readonly const?: unknown
  readonly default?: unknown
  /** The generator's, of OpenAPI 3.0. */
  example?: unknown
  examples?: unknown[]
  readonly minimum?: number
  readonly properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly allOf?: Schema[]
  readonly anyOf?: Schema[]
  readonly oneOf?: Schema[]
}

export type Schemas = Record<string, Schema>

const formats: readonly (readonly [format: string, example: RegExp])[] = [
  ['date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/],
  ['uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/],
]

/**
 * What the generator cannot know or writes as OpenAPI 3.0: examples are a list, and tell times and UUIDs from text; a number
 * is a whole one unless its format says `double`; an enum of a type's has no order of its own.
 */
export function refine(schema: Schema): void {
  if ('example' in schema) {
    schema.examples = [schema.example]
    delete schema.example
  }
  if (schema.type === 'string' && !schema.format) {
    const format = formats.find(
      ([, pattern]) => typeof schema.examples?.[0] === 'string' && pattern.test(schema.examples[0]),
    )
    if (format) schema.format = format[0]
  }
  if (!schema.format) schema.type = wholeNumber(schema.type)
  if (schema.type === undefined) delete schema.type
  schema.enum?.sort()
  for (const part of partsOf(schema)) refine(part)
}

function wholeNumber(type: Schema['type']): Schema['type'] {
  if (Array.isArray(type)) return type.map((one) => (one === 'number' ? 'integer' : one))
  return type === 'number' ? 'integer' : type
}

/** Bodies are refused with members that are not theirs, and say so. */
export function close(schema: Schema, schemas: Schemas): void {
  const name = schema.$ref?.split('/').at(-1)
  const target = name ? schemas[name] : schema
  if (!target || target.additionalProperties !== undefined) return
  if (target.properties) target.additionalProperties = false
  for (const part of partsOf(target)) close(part, schemas)
}

function partsOf(schema: Schema): Schema[] {
  const { properties = {}, additionalProperties, items, allOf = [], anyOf = [], oneOf = [] } = schema
  const rest = typeof additionalProperties === 'object' ? [additionalProperties] : []
  return [...Object.values(properties), ...(items ? [items] : []), ...rest, ...allOf, ...anyOf, ...oneOf]
}
