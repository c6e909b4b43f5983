import { DomainError } from './errors.js'

/** 400: bytes that are no JSON, or JSON that no one should store. */
export class MalformedBody extends DomainError {
  constructor(message: string, options?: ErrorOptions) {
    super('malformed-body', message, {}, options)
  }
}

export const MAX_DEPTH = 32

/** What every object has, class-validator takes for a known field. */
const forbiddenKeys = new Set(['prototype', ...Object.getOwnPropertyNames(Object.prototype)])

/** A body as a value; undefined when it is empty. Fastify's own parser would mend broken UTF-8 in silence. */
export function parseJsonBody(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined
  const text = decode(bytes)
  const value = parse(text)
  scan(text)
  return value
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new MalformedBody('the body is not UTF-8', { cause })
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MalformedBody('the body is not JSON', { cause })
  }
}

/**
 * What JSON.parse lets pass, on text that it accepted: depth that recursive code would not survive, keys given twice, keys
 * that reach prototypes, and characters that Postgres cannot store.
 */
function scan(text: string): void {
  // the keys of each object that is open; null for an array
  const open: (Set<string> | null)[] = []
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(null)
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const end = endOfString(text, at)
      const value = stringAt(text, at, end)
      const keys = open.at(-1)
      if (keys && isKey(text, end)) addKey(keys, value)
      at = end
    }
    if (open.length > MAX_DEPTH) throw new MalformedBody(`the body is nested deeper than ${MAX_DEPTH}`)
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}

function stringAt(text: string, start: number, end: number): string {
  const literal = text.slice(start, end + 1)
  const value = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1)
  if (value.includes('\0')) throw new MalformedBody('the body has a NUL character')
  // a surrogate without its other half is no character
  if (/\p{Surrogate}/u.test(value)) throw new MalformedBody('the body has half a surrogate pair')
  return value
}

function isKey(text: string, end: number): boolean {
  let at = end + 1
  while (/\s/.test(text[at] ?? '')) at++
  return text[at] === ':'
}

function addKey(keys: Set<string>, key: string): void {
  if (forbiddenKeys.has(key)) throw new MalformedBody(`the body has a key ${key}`)
  if (keys.has(key)) throw new MalformedBody(`the body has the key ${JSON.stringify(key).slice(0, 100)} twice`)
  keys.add(key)
}
