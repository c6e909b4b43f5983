import type { Schema, Schemas } from './openapi-schemas.js'

const byFormat: Readonly<Record<string, string>> = {
  uuid: '0b9c2a7e-54d1-4f0a-8f5e-2d6b1c3a4e5f',
  'date-time': '2026-03-01T09:30:00.000Z',
}

/** A value that the schema describes, made of what its properties say of themselves. */
export function exampleOf(schema: Schema, schemas: Schemas): unknown {
  if (schema.examples && schema.examples.length > 0) return schema.examples[0]
  if (schema.$ref) return exampleOf(schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}, schemas)
  if (schema.const !== undefined) return schema.const
  if (schema.default !== undefined) return schema.default
  if (schema.enum) return schema.enum[0]
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => exampleOf(part, schemas)))
  const choice = schema.anyOf?.[0] ?? schema.oneOf?.[0]
  return choice ? exampleOf(choice, schemas) : plain(schema, schemas)
}

function plain(schema: Schema, schemas: Schemas): unknown {
  const type = [schema.type].flat().find((name) => name !== 'null')
  const properties = Object.entries(schema.properties ?? {})
  const make: Readonly<Record<string, () => unknown>> = {
    object: () => Object.fromEntries(properties.map(([name, property]) => [name, exampleOf(property, schemas)])),
    array: () => (schema.items ? [exampleOf(schema.items, schemas)] : []),
    string: () => byFormat[schema.format ?? ''] ?? 'text',
    integer: () => schema.minimum ?? 1,
    number: () => schema.minimum ?? 1,
    boolean: () => false,
  }
  return make[String(type)]?.() ?? null
}
