import { readFileSync } from 'node:fs'
import type { Allow } from '../../src/engine/platform/caller.js'

interface OperationObject {
  readonly operationId: string
  readonly 'x-allow': Allow
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> }
}

export interface DocumentedOperation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly allow: Allow
  /** As the document shows it; undefined where there is none. */
  readonly body: unknown
}

/** Every operation of the committed document, with the decision that stands at its route. */
export function documentedOperations(): DocumentedOperation[] {
  const { paths } = JSON.parse(readFileSync('openapi.json', 'utf8')) as {
    paths: Record<string, Record<string, OperationObject>>
  }
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      allow: operation['x-allow'],
      body: operation.requestBody?.content['application/json']?.example,
    })),
  )
}
