export type Fields = Readonly<Record<string, unknown>>

/** A request made wrong in one way; what is not said is as it should be. */
export interface Abuse {
  readonly name: string
  readonly bytes: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

const TEN_MEGABYTES = 10 * 1024 * 1024
const DEEP = 50_000

const text = (name: string, body: string, headers?: Abuse['headers']): Abuse => ({
  name,
  bytes: Buffer.from(body),
  headers,
})
const json = (name: string, value: unknown): Abuse => text(name, JSON.stringify(value))

/** Every abuse of a route whose body should be `fields`. Strings are made anew, so that escapes stay as they are written. */
export function abusesOf(fields: Fields): Abuse[] {
  const whole = JSON.stringify(fields)
  return [...fields_(fields), ...shapes(whole), ...keys(whole), ...strings(fields), ...encodings(whole)]
}

function fields_(fields: Fields): Abuse[] {
  const wrong = [null, 7, true, [], ['x'], {}, { a: { b: 1 } }, '', 'x'.repeat(100_000)]
  return [
    json('an unknown field', { ...fields, surprise: 1 }),
    json('an unknown field in another case', { ...fields, URI: 'x', Name: 'x', LABELS: {} }),
    ...Object.keys(fields).flatMap((field) =>
      wrong
        .filter(
          (value) => kindOf(value) !== kindOf(fields[field]) || value === '' || JSON.stringify(value).length > 1_000,
        )
        .map((value) => json(`${field}: ${JSON.stringify(value).slice(0, 20)}`, { ...fields, [field]: value })),
    ),
  ]
}

const kindOf = (value: unknown): string => (Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value)

function shapes(whole: string): Abuse[] {
  return [
    json('a list', [JSON.parse(whole)]),
    json('a number', 1),
    json('a string', 'text'),
    text('null', 'null'),
    text('an open brace', whole.slice(0, -1)),
    text('two documents', `${whole}${whole}`),
    text('a comment', `${whole} // text`),
    text('no JSON', 'name=x&uri=y'),
    text('10 MB of text', JSON.stringify({ ...JSON.parse(whole), surprise: 'x'.repeat(TEN_MEGABYTES) })),
    text('deep lists', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`),
    text('deep objects', `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`),
    text('deep and never closed', '['.repeat(DEEP)),
    text('a number beyond all numbers', `${whole.slice(0, -1)},"surprise":1e999}`),
  ]
}

function keys(whole: string): Abuse[] {
  const also = (member: string) => `${whole.slice(0, -1)},${member}}`
  return [
    text('__proto__', also('"__proto__":{"admin":true}')),
    text('__proto__, escaped', also('"\\u005f_proto__":{"admin":true}')),
    text('constructor.prototype', also('"constructor":{"prototype":{"admin":true}}')),
    text('hasOwnProperty', also('"hasOwnProperty":1')),
    text('toString', also('"toString":"x"')),
    text('a key with NUL', also('"a\\u0000b":1')),
    text('an empty key', also('"":1')),
  ]
}

/** In each string of the body, wherever it is. */
function strings(fields: Fields): Abuse[] {
  const paths = Object.entries(fields).filter(([, value]) => typeof value === 'string')
  const bad = { 'NUL, escaped': '\\u0000', 'half a surrogate pair': '\\ud800', 'a line break': '\\n' }
  return paths.flatMap(([field, value]) =>
    Object.entries(bad).map(([name, piece]) => {
      const spoilt = `{"${field}":${JSON.stringify(value).slice(0, -1)}${piece}"}`
      const others = JSON.stringify({ ...fields, [field]: undefined })
      return text(`${field} with ${name}`, others === '{}' ? spoilt : `${others.slice(0, -1)},${spoilt.slice(1)}`)
    }),
  )
}

function encodings(whole: string): Abuse[] {
  const bytes = Buffer.from(whole)
  const typed = (type: string) => ({ 'content-type': type })
  const broken = [0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80]
  return [
    { name: 'broken UTF-8', bytes: Buffer.concat([Buffer.from('{"a":"'), Buffer.from(broken), Buffer.from('"}')]) },
    { name: 'broken UTF-8 alone', bytes: Buffer.from(broken) },
    { name: 'a raw NUL', bytes: Buffer.concat([bytes, Buffer.from([0])]) },
    { name: 'UTF-16', bytes: Buffer.from(whole, 'utf16le') },
    { name: 'a form', bytes, headers: typed('application/x-www-form-urlencoded') },
    { name: 'multipart', bytes, headers: typed('multipart/form-data; boundary=x') },
    { name: 'plain text', bytes, headers: typed('text/plain') },
    { name: 'XML', bytes, headers: typed('application/xml') },
    { name: 'another charset', bytes, headers: typed('application/json; charset=iso-8859-1') },
    { name: 'a broken content type', bytes, headers: typed('json;;;=') },
    { name: 'compressed, as it says', bytes, headers: { 'content-encoding': 'gzip' } },
    { name: 'huge headers', bytes, headers: { 'x-long': 'x'.repeat(64 * 1024) } },
    { name: 'two lengths', bytes, headers: { 'Content-Length ': '3' } },
    { name: 'a header with NUL', bytes, headers: { 'x-nul': 'a\0b' } },
  ]
}
