import { converse } from '../support/raw-socket.js'
import { mischief, startToys, type ToyEngine } from './support/toy.js'

let toys: ToyEngine
beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())

const json = '{"name":"a"}'
const hidden = 'GET /odd/text/smuggled HTTP/1.1\r\nHost: x\r\n\r\n'
const head = (lines: readonly string[], target = '/api/v1/toys', version = 'HTTP/1.1') =>
  [`POST ${target} ${version}`, 'Host: x', 'Content-Type: application/json', ...lines, '', ''].join('\r\n')
const chunk = (text: string, extension = '') => `${text.length.toString(16)}${extension}\r\n${text}\r\n`
const chunked = `${chunk(json)}0\r\n\r\n`
const length = `Content-Length: ${json.length}`

/** A request whose end can be seen in two ways, with another one hidden behind it. */
const doubtful: readonly (readonly [what: string, bytes: string])[] = [
  ['a length and chunks', head([length, 'Transfer-Encoding: chunked']) + chunked],
  ['chunks and a length', head(['Transfer-Encoding: chunked', length]) + chunked],
  ['a length of 0 and chunks', head(['Content-Length: 0', 'Transfer-Encoding: chunked']) + chunked],
  ['two lengths', head([length, 'Content-Length: 0']) + json],
  ['two equal lengths', head([length, length]) + json],
  ['a list of lengths', head([`${length}, ${json.length}`]) + json],
  ['a length with a sign', head([`Content-Length: +${json.length}`]) + json],
  ['a negative length', head(['Content-Length: -1']) + json],
  ['a length in hexadecimal', head(['Content-Length: 0xc']) + json],
  ['a length beyond all numbers', head([`Content-Length: ${'9'.repeat(30)}`]) + json],
  ['an empty length', head(['Content-Length: ']) + json],
  ['a length with a space in it', head(['Content-Length: 1 2']) + json],
  ['chunked twice', head(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']) + chunked],
  ['chunked, and another after it', head(['Transfer-Encoding: chunked, identity']) + chunked],
  ['another coding alone', head(['Transfer-Encoding: identity']) + chunked],
  ['almost chunked', head(['Transfer-Encoding: xchunked']) + chunked],
  ['chunked in quotes', head(['Transfer-Encoding: "chunked"']) + chunked],
  ['chunked after a vertical tab', head(['Transfer-Encoding: \x0bchunked']) + chunked],
  ['chunked before a NUL', head(['Transfer-Encoding: chunked\0']) + chunked],
  ['a space before the colon', head(['Transfer-Encoding : chunked']) + chunked],
  ['a space before a length’s colon', head([`Content-Length : ${json.length}`]) + json],
  ['a folded header', head(['X: a', ' Transfer-Encoding: chunked', length]) + json],
  ['a header without a colon', head(['Transfer-Encoding', length]) + json],
  ['a bare CR in a header', head([`X: a\rTransfer-Encoding: chunked`, length]) + json],
  ['a bare LF between headers', head([`X: a\nTransfer-Encoding: chunked`, length]) + json],
  ['a bare CR before the body', head([length]).replace(/\r\n\r\n$/, '\r\n\r') + json],
  [
    'chunks in HTTP/1.0',
    head(['Transfer-Encoding: chunked', 'Connection: keep-alive'], undefined, 'HTTP/1.0') + chunked,
  ],
  ['a chunk whose size is no number', `${head(['Transfer-Encoding: chunked'])}zz\r\n${json}\r\n0\r\n\r\n`],
  ['a chunk size with 0x', `${head(['Transfer-Encoding: chunked'])}0xc\r\n${json}\r\n0\r\n\r\n`],
  ['a chunk size with a sign', `${head(['Transfer-Encoding: chunked'])}+c\r\n${json}\r\n0\r\n\r\n`],
  ['a chunk size beyond all numbers', `${head(['Transfer-Encoding: chunked'])}${'f'.repeat(20)}\r\n${json}`],
  ['a chunk that is longer than its size', `${head(['Transfer-Encoding: chunked'])}3\r\n${json}\r\n0\r\n\r\n`],
  ['a chunk that ends with LF alone', `${head(['Transfer-Encoding: chunked'])}c\n${json}\n0\n\n`],
  ['a chunk extension with LF alone', `${head(['Transfer-Encoding: chunked'])}c;a\nb\r\n${json}\r\n0\r\n\r\n`],
  ['two hosts', head(['Host: y', length]) + json],
  ['an address of another host', head([length], 'http://elsewhere.example/api/v1/toys') + json],
  ['a length in the trailers', `${head(['Transfer-Encoding: chunked'])}${chunk(json)}0\r\nContent-Length: 3\r\n\r\n`],
  ['a method that is none', head([length]).replace('POST', 'PO ST') + json],
  ['a version that is none', head([length], undefined, 'HTTP/1.7') + json],
  ['the version of HTTP/2', head([length], undefined, 'HTTP/2.0') + json],
  ['a version in small letters', head([length], undefined, 'http/1.1') + json],
  ['a tab in the request line', head([length]).replace('POST ', 'POST\t') + json],
  ['a bare CR in the address', head([length], '/api/v1/toys\r?x') + json],
  ['a NUL in a header', head(['X: a\0b', length]) + json],
]

describe('a request whose end is in doubt', () => {
  it.each(doubtful)('is refused with all that follows it: %s', async (_, bytes) => {
    const before = mischief.creations
    const { statuses, closed, received } = await converse(toys.baseUrl, bytes + hidden)
    expect({ statuses, closed }).toEqual({ statuses: [400], closed: true })
    expect(received).toContain('application/problem+json')
    expect(received).not.toContain('smuggled')
    expect(mischief.creations).toBe(before)
  })
})

describe('what is no request of HTTP/1.1', () => {
  it.each([
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a request of HTTP/0.9', 'GET /odd/text/smuggled\r\n'],
    ['no host', 'GET /odd/text/smuggled HTTP/1.1\r\n\r\n'],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a tunnel', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n'],
  ])('ends the connection: %s', async (_, bytes) => {
    const { statuses, closed, received } = await converse(toys.baseUrl, bytes + hidden)
    expect(statuses.filter((status) => status !== 400)).toEqual([])
    expect(statuses.length).toBeLessThanOrEqual(1)
    expect(closed).toBe(true)
    expect(received).not.toContain('smuggled')
  })

  it('of HTTP/1.0 is answered, and ends the connection', async () => {
    const { statuses, closed } = await converse(toys.baseUrl, `GET /health/live HTTP/1.0\r\n\r\n${hidden}`)
    expect({ statuses, closed }).toEqual({ statuses: [200], closed: true })
  })
})

describe('a connection is never upgraded', () => {
  it.each([
    ['to a WebSocket', ['Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZQ==', 'Sec-WebSocket-Version: 13']],
    ['to HTTP/2', ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA']],
    ['to TLS', ['Upgrade: TLS/1.0']],
    ['without saying so to the next hop', ['Upgrade: websocket'], 'keep-alive'],
  ])('%s', async (_, lines, connection = 'Upgrade') => {
    const request = ['GET /health/live HTTP/1.1', 'Host: x', `Connection: ${connection}`, ...lines, '', ''].join('\r\n')
    const { statuses, closed } = await converse(toys.baseUrl, request + hidden)
    expect({ statuses, closed }).toEqual({ statuses: [400], closed: true })
  })
})

describe('a request that is whole', () => {
  it.each([
    ['by its length', head([length]) + json],
    ['by its chunks', head(['Transfer-Encoding: chunked']) + chunked],
    ['by chunks in capitals', head(['Transfer-Encoding: CHUNKED']) + chunked],
    ['with a short chunk extension', `${head(['Transfer-Encoding: chunked'])}${chunk(json, ';a=b')}0\r\n\r\n`],
  ])('%s is answered, and the next one begins after it', async (_, bytes) => {
    const { statuses, closed } = await converse(toys.baseUrl, `${bytes}GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n`)
    expect({ statuses, closed }).toEqual({ statuses: [201, 200], closed: false })
  })

  it('has its trailers read and not believed', async () => {
    const bytes = `${head(['Transfer-Encoding: chunked', 'Trailer: X-Request-Id'])}${chunk(json)}0\r\nX-Request-Id: forged\r\nHost: elsewhere\r\n\r\n`
    const { statuses, received } = await converse(toys.baseUrl, bytes)
    expect(statuses).toEqual([201])
    expect(received).not.toContain('forged')
  })

  it('may have the whole address in its first line', async () => {
    const bytes = 'GET http://x/health/live HTTP/1.1\r\nHost: x\r\n\r\n'
    expect((await converse(toys.baseUrl, bytes)).statuses).toEqual([200])
  })

  it('is answered in its turn, however many come at once', async () => {
    const many = Array.from({ length: 50 }, (_, index) => `GET /odd/text/n${index}. HTTP/1.1\r\nHost: x\r\n\r\n`)
    const { statuses, received } = await converse(toys.baseUrl, many.join(''))
    expect(statuses).toEqual(many.map(() => 200))
    expect([...received.matchAll(/n(\d+)\./g)].map(([, index]) => Number(index))).toEqual([...many.keys()])
  })
})

describe('an expectation', () => {
  it('is met when the body is wanted', async () => {
    const { statuses } = await converse(toys.baseUrl, head([length, 'Expect: 100-continue']) + json)
    expect(statuses).toEqual([100, 201])
  })

  it('that nobody knows is refused', async () => {
    const { statuses, received } = await converse(toys.baseUrl, head([length, 'Expect: 200-maybe']) + json + hidden)
    expect(statuses).toEqual([400])
    expect(received).not.toContain('smuggled')
  })
})

describe('bounds', () => {
  const headers = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: a`)
  const get = (lines: readonly string[]) => ['GET /health/live HTTP/1.1', 'Host: x', ...lines, '', ''].join('\r\n')

  it.each([
    ['a header of 20 KB', get([`X: ${'a'.repeat(20_000)}`])],
    ['headers of 20 KB together', get(headers(90).map((line) => line + 'a'.repeat(250)))],
    ['more than 100 headers', get(headers(100))],
    ['2,000 headers', get(Array.from({ length: 2_000 }, () => 'a:'))],
    ['an address of 20 KB', get([]).replace('/health/live', `/${'a'.repeat(20_000)}`)],
  ])('%s is 431, and ends the connection', async (_, bytes) => {
    const { statuses, closed, received } = await converse(toys.baseUrl, bytes + hidden)
    expect({ statuses, closed }).toEqual({ statuses: [431], closed: true })
    expect(received).not.toContain('smuggled')
  })

  it('leave room for 100 headers', async () => {
    expect((await converse(toys.baseUrl, get(headers(99)))).statuses).toEqual([200])
  })

  it('a chunk extension of 20 KB ends the connection', async () => {
    const bytes = `${head(['Transfer-Encoding: chunked'])}${chunk(json, `;a=${'b'.repeat(20_000)}`)}0\r\n\r\n`
    const { statuses, closed } = await converse(toys.baseUrl, bytes + hidden)
    expect({ statuses, closed }).toEqual({ statuses: [400], closed: true })
  })

  it('trailers of 20 KB end the connection', async () => {
    const bytes = `${head(['Transfer-Encoding: chunked'])}${chunk(json)}0\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`
    const { closed, received } = await converse(toys.baseUrl, bytes + hidden)
    expect(closed).toBe(true)
    expect(received).not.toContain('smuggled')
  })
})
