import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'

interface MediaType {
  readonly schema?: object
}

interface ResponseObject {
  readonly $ref?: string
  readonly content?: Readonly<Record<string, MediaType>>
}

interface OperationObject {
  readonly operationId: string
  readonly responses: Readonly<Record<string, ResponseObject>>
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>
  readonly components?: {
    readonly responses?: Readonly<Record<string, ResponseObject>>
    readonly schemas?: Readonly<Record<string, object>>
  }
}

export interface Received {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly contentType: string | null
  readonly body: unknown
}

/** Holds replies against a document: status, media type, and body without a member too many. Throws what does not fit. */
export class OpenApiCheck {
  private readonly ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true })
  private readonly compiled = new Map<object, ValidateFunction>()
  private readonly routes: readonly { readonly template: string; readonly path: RegExp }[]

  constructor(private readonly document: OpenApiDocument) {
    // ajv-formats is CommonJS: its function is the default member of what ESM imports
    ;(addFormats as unknown as (ajv: Ajv2020) => void)(this.ajv)
    this.routes = Object.keys(document.paths)
      // a fixed segment comes before a parameter
      .sort((a, b) => (a.replaceAll('{', '~') < b.replaceAll('{', '~') ? -1 : 1))
      .map((template) => ({ template, path: pattern(template) }))
  }

  require(received: Received): void {
    const { method, path, status, contentType, body } = received
    const template = this.routes.find((route) => route.path.test(path))?.template
    const operation = template ? this.document.paths[template]?.[method.toLowerCase()] : undefined
    if (!template || !operation) throw new Error(`${method} ${path} is in no operation of the document`)
    const where = `${operation.operationId} ${status}`
    const declared = operation.responses[status]
    if (!declared) throw new Error(`${where} is not declared; the reply was ${JSON.stringify(body)}`)
    const name = declared.$ref?.split('/').at(-1)
    const content = (name ? this.document.components?.responses?.[name] : declared)?.content
    const mediaType = contentType?.split(';', 1)[0]?.trim()
    if (!content) {
      if (body !== undefined) throw new Error(`${where} has a body, and none is declared`)
      return
    }
    const schema = mediaType ? content[mediaType]?.schema : undefined
    if (!schema) throw new Error(`${where} does not declare ${mediaType ?? 'an empty body'}`)
    this.requireBody(where, schema, body)
  }

  private requireBody(where: string, schema: object, body: unknown): void {
    const validate = this.compiled.get(schema) ?? this.compile(schema)
    if (validate(body)) return
    const faults = this.ajv.errorsText(validate.errors, { dataVar: 'body', separator: '\n  ' })
    throw new Error(`${where} is not what the document says:\n  ${faults}\n${JSON.stringify(body)}`)
  }

  /** The document itself is no JSON schema: what a schema of it refers to comes along. */
  private compile(schema: object): ValidateFunction {
    const whole = { ...schema, $defs: this.document.components?.schemas ?? {} }
    const own: unknown = JSON.parse(JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/'))
    const validate = this.ajv.compile(closed(own) as object)
    this.compiled.set(schema, validate)
    return validate
  }
}

const pattern = (template: string): RegExp =>
  new RegExp(`^${template.replace(/[.+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')}/?$`)

/** The document leaves room for members to come; a test of today's engine does not. */
function closed(node: unknown, insideAllOf = false): unknown {
  if (Array.isArray(node)) return node.map((item) => closed(item, insideAllOf))
  if (typeof node !== 'object' || node === null) return node
  const entries = Object.entries(node).map(([key, value]) => [key, closed(value, key === 'allOf')] as const)
  const copy: Record<string, unknown> = Object.fromEntries(entries)
  const isObjectSchema = typeof copy.properties === 'object' && copy.type === 'object'
  if (isObjectSchema && !insideAllOf && copy.additionalProperties === undefined) copy.additionalProperties = false
  return copy
}
