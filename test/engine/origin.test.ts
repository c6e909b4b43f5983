import { isSameOrigin, Origins } from '../../src/engine/platform/origin.js'

const host = 'plane.example:8080'
const own = 'http://plane.example:8080'
const from = (headers: Record<string, string>, publicOrigins: string[] = []) =>
  isSameOrigin({ headers: { host, ...headers } }, publicOrigins)

describe('a request is from our own pages', () => {
  it.each([
    ['the browser says so', { 'sec-fetch-site': 'same-origin' }],
    ['its reader typed the address', { 'sec-fetch-site': 'none' }],
    ['an older browser names our origin', { origin: own }],
    ['the default port is written on one side alone', { host: 'plane.example:443', origin: 'https://plane.example' }],
    ['the host is written in capitals', { host: 'Plane.Example:8080', origin: own }],
    ['the host is an IPv6 address', { host: '[::1]:8080', origin: 'http://[::1]:8080' }],
  ])('when %s', (_, headers) => {
    expect(from(headers)).toBe(true)
  })

  it('when it names an address at which the plane is known outside', () => {
    const outside = { origin: 'https://keelson.example', 'sec-fetch-site': 'cross-site' }
    expect(from(outside, ['https://keelson.example'])).toBe(true)
    expect(from(outside, ['https://other.example'])).toBe(false)
  })
})

describe('a request is not from our own pages', () => {
  it.each([
    ['another site sent it', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['a neighbour below the same domain sent it', { 'sec-fetch-site': 'same-site' }],
    ['the browser contradicts the origin', { 'sec-fetch-site': 'cross-site', origin: own }],
    ['its origin is another host', { origin: 'http://evil.example' }],
    ['its origin is another port', { origin: 'http://plane.example:9090' }],
    ['its origin only begins as ours', { origin: `${own}.evil.example` }],
    ['its origin hides our name in a login', { origin: 'http://plane.example:8080@evil.example' }],
    ['its origin is opaque', { origin: 'null' }],
    ['its origin is a file', { origin: 'file://plane.example:8080' }],
    ['its origin is nonsense', { origin: 'plane.example:8080' }],
    ['it says nothing', {}],
  ])('when %s', (_, headers) => {
    expect(from(headers as Record<string, string>)).toBe(false)
  })
})

it('where no cookie vouches is refused only where it says that it comes from elsewhere', () => {
  const origins = new Origins(['https://keelson.example'])
  const refuse = (headers: Record<string, string>) => () => origins.refuseOtherSites({ headers: { host, ...headers } })
  expect(refuse({})).not.toThrow()
  expect(refuse({ origin: own })).not.toThrow()
  expect(refuse({ origin: 'https://keelson.example', 'sec-fetch-site': 'cross-site' })).not.toThrow()
  expect(refuse({ origin: 'https://evil.example' })).toThrow(expect.objectContaining({ type: 'cross-site' }))
  expect(refuse({ 'sec-fetch-site': 'same-site' })).toThrow(expect.objectContaining({ type: 'cross-site' }))
})

it('from elsewhere is refused as cross-site', () => {
  const origins = new Origins(['https://keelson.example'])
  expect(() => origins.requireSameOrigin({ headers: { origin: 'https://keelson.example' } })).not.toThrow()
  expect(() => origins.requireSameOrigin({ headers: { host, origin: 'https://evil.example' } })).toThrow(
    expect.objectContaining({ type: 'cross-site' }),
  )
})
