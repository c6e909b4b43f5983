import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { OpenApiDocument } from '../support/openapi-check.js'
import { startToys, type ToyEngine } from './support/toy.js'

let toys: ToyEngine
const committed = JSON.parse(readFileSync('openapi.json', 'utf8')) as OpenApiDocument

beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())

interface Operation {
  readonly operationId: string
  readonly summary?: string
  readonly tags?: string[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly $ref?: string; readonly content?: Content }>>
}
type Content = Readonly<Record<string, { readonly schema: object; readonly example?: unknown }>>

const operationsOf = (document: OpenApiDocument): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method} ${path}`,
      operation as Operation,
    ]),
  )

const responses = (id: string): string[] =>
  Object.keys(operationsOf(toys.document).find(([, { operationId }]) => operationId === id)?.[1].responses ?? {})

describe('the document', () => {
  it('declares the errors that follow from the shape of a route', () => {
    expect(responses('health.live')).toEqual(['200', '400', '422', '500', '503'])
    expect(responses('toys.list')).toEqual(['200', '400', '422', '429', '500', '503'])
    expect(responses('toys.get')).toEqual(['200', '400', '404', '414', '422', '429', '500', '503'])
    expect(responses('toys.create')).toEqual(['201', '400', '409', '413', '415', '422', '429', '500', '503'])
    expect(responses('toys.update')).toEqual([
      '200',
      '400',
      '404',
      '412',
      '413',
      '414',
      '415',
      '422',
      '429',
      '500',
      '503',
    ])
  })

  it('is the same each time', async () => {
    const other = await startToys()
    await other.stop()
    expect(JSON.stringify(other.document)).toBe(JSON.stringify(toys.document))
  })

  it('is served as it is committed', async () => {
    const reply = await fetch(`${toys.baseUrl}/openapi.json`)
    expect(await reply.json()).toEqual(committed)
  })

  it('has a reader that needs nothing from elsewhere', async () => {
    const page = await fetch(`${toys.baseUrl}/docs`)
    expect(page.status).toBe(200)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    const html = await page.text()
    const assets = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => String(asset))
    expect(assets.filter((asset) => /^(https?:)?\/\//.test(asset))).toEqual([])
    for (const asset of assets) {
      const reply = await fetch(new URL(asset, `${toys.baseUrl}/docs`))
      const { byteLength } = await reply.arrayBuffer()
      expect([asset, reply.status, byteLength > 0]).toEqual([asset, 200, true])
    }
  })
})

describe('the committed document', () => {
  it('is OpenAPI 3.1 and refers to nothing that is not there', () => {
    const text = JSON.stringify(committed)
    expect(committed).toMatchObject({ openapi: '3.1.0' })
    for (const [, pointer] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = String(pointer)
        .split('/')
        .reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], committed)
      expect([pointer, typeof found]).toEqual([pointer, 'object'])
    }
    expect(text).not.toMatch(/x-keelson|"nullable"/)
  })

  it.each(operationsOf(committed))('says of %s what it does, under an id of its own', (_where, operation) => {
    expect(operation.operationId).toMatch(/^[a-z][A-Za-z0-9]*\.[a-z][A-Za-z]*$/)
    expect(operation.summary).toBeTruthy()
    expect(operation.tags).toHaveLength(1)
    const ids = operationsOf(committed).map(([, { operationId }]) => operationId)
    expect(ids.filter((id) => id === operation.operationId)).toHaveLength(1)
  })

  it.each(operationsOf(committed))(
    'has examples of %s that are what their schemas say',
    (_where, { requestBody, responses }) => {
      const ajv = new Ajv2020({ strict: false, validateFormats: false })
      const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)]
      for (const { schema, example } of contents.flatMap((content) => Object.values(content ?? {}))) {
        const whole = JSON.stringify({ ...schema, $defs: committed.components?.schemas })
        const validate = ajv.compile(JSON.parse(whole.replaceAll('#/components/schemas/', '#/$defs/')) as object)
        expect([validate(example), validate.errors, example]).toEqual([true, null, example])
      }
    },
  )
})
