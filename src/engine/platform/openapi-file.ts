import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { OpenAPIObject } from '@nestjs/swagger'

/** The committed document, which CI holds to what the program generates: it lies beside package.json. */
export const openApiFile = (): string => join(packageDirectory(), 'openapi.json')

export const readOpenApiFile = (): OpenAPIObject => JSON.parse(readFileSync(openApiFile(), 'utf8')) as OpenAPIObject

/** The same from the sources and from dist, which are not equally deep. */
function packageDirectory(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    if (hasPackage(at)) return at
    if (at === dirname(at)) throw new Error('no package.json above this file')
  }
}

function hasPackage(directory: string): boolean {
  try {
    readFileSync(join(directory, 'package.json'))
    return true
  } catch {
    return false
  }
}
