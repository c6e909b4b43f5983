import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { parseIp } from '../../src/config/network.js'
import { Outbound, type OutboundCall, type Resolve, resolveName } from '../../src/engine/platform/outbound.js'
import { isPublic, requireCallable } from '../../src/engine/platform/outbound-addresses.js'
import { selfSigned } from '../support/certificate.js'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

interface Seen {
  readonly port: number
  /** Of each request: the address that it came to, and its head. */
  readonly requests: { to: string; path: string; headers: IncomingMessage['headers']; method: string }[]
}

/** On all of this machine's addresses: 127.0.0.1 and 127.0.0.2 are two hosts. */
async function serve(answer: Answer, tls = false): Promise<Seen> {
  const requests: Seen['requests'] = []
  const listener: Answer = (request, response) => {
    const { url: path = '', headers, method = '' } = request
    requests.push({ to: request.socket.localAddress ?? '', path, headers, method })
    answer(request, response)
  }
  const server = tls ? createTlsServer(selfSigned, listener) : createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  return { port: (server.address() as AddressInfo).port, requests }
}

const hello: Answer = (_, response) => response.end('hello')
const redirect =
  (location: string, status = 302): Answer =>
  (_, response) =>
    response.writeHead(status, { location }).end()

interface Given {
  readonly networks?: readonly string[]
  readonly resolve?: Resolve
  readonly ca?: string
}
const outbound = ({ networks = ['127.0.0.2/32'], resolve = async () => ['127.0.0.2'], ca }: Given = {}) =>
  new Outbound({ list: () => networks }, resolve, ca)
const call = (url: string, more: Partial<OutboundCall> = {}): OutboundCall => ({
  url,
  timeoutMs: 5_000,
  maxBytes: 1_000,
  ...more,
})
const failing = (fault: string) => expect.objectContaining({ name: 'OutboundFailed', fault })

describe('an address', () => {
  it.each([
    ['loopback', '127.0.0.1'],
    ['loopback, another', '127.255.0.9'],
    ['loopback of IPv6', '::1'],
    ['the metadata of a cloud', '169.254.169.254'],
    ['the metadata of a cloud, IPv6', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['private', '10.1.2.3'],
    ['private', '172.31.0.1'],
    ['private', '192.168.0.1'],
    ['unique local', 'fc00::1'],
    ['site-local', 'fec0::1'],
    ['shared by a carrier', '100.64.0.1'],
    ['this network', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['unspecified', '::'],
    ['multicast', '224.0.0.1'],
    ['multicast of IPv6', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['for documentation', '192.0.2.1'],
    ['for documentation', '2001:db8::1'],
    ['for benchmarks', '198.18.0.1'],
    ['loopback, mapped', '::ffff:127.0.0.1'],
    ['loopback, mapped, in hexadecimal', '::ffff:7f00:1'],
    ['loopback, compatible', '::127.0.0.1'],
    ['compatible, in hexadecimal', '::7f00:1'],
    ['private, through NAT64', '64:ff9b::10.0.0.1'],
    ['public, through NAT64', '64:ff9b::8.8.8.8'],
    ['through a NAT64 of one’s own', '64:ff9b:1::1'],
    ['private, through 6to4', '2002:a00:1::1'],
    ['through Teredo', '2001:0:a00:1::1'],
    ['translated', '::ffff:0:127.0.0.1'],
    ['to be discarded', '100::1'],
  ])('that is %s is not public: %s', async (_, address) => {
    expect(isPublic(parseIp(address)!)).toBe(false)
    const resolved = outbound({ networks: ['public'], resolve: async () => [address] })
    await expect(resolved.open(call('http://images.example/'))).rejects.toEqual(failing('refused'))
    const literal = address.includes(':') ? `[${address}]` : address
    await expect(outbound({ networks: ['public'] }).open(call(`http://${literal}/`))).rejects.toEqual(
      failing('refused'),
    )
  })

  it.each([['8.8.8.8'], ['203.0.114.1'], ['2606:4700::1111'], ['::ffff:8.8.8.8']])('%s is public', (address) => {
    expect(isPublic(parseIp(address)!)).toBe(true)
  })

  it.each([
    ['http://127.1/'],
    ['http://0x7f.1/'],
    ['http://0177.0.0.1/'],
    ['http://2130706433/'],
    ['http://127.0.0.1./'],
    ['http://①②⑦.⓪.⓪.①/'],
    ['http://[0:0:0:0:0:ffff:7f00:1]/'],
    ['http://localhost/'],
  ])('is refused in every spelling: %s', async (url) => {
    await expect(outbound({ networks: ['public'], resolve: resolveName }).open(call(url))).rejects.toEqual(
      failing('refused'),
    )
  })

  it('is called where its network is listed, and nowhere else', async () => {
    const { port, requests } = await serve(hello)
    const { status, body } = await outbound().fetch(call(`http://127.0.0.2:${port}/a?b=c`))
    expect([status, body.toString()]).toEqual([200, 'hello'])
    expect(requests).toMatchObject([{ to: '127.0.0.2', path: '/a?b=c', headers: { host: `127.0.0.2:${port}` } }])
    await expect(outbound().open(call(`http://127.0.0.1:${port}/`))).rejects.toEqual(failing('refused'))
    await expect(outbound({ networks: [] }).open(call('http://8.8.8.8/'))).rejects.toEqual(failing('refused'))
    expect(requests).toHaveLength(1)
  })
})

describe('a URL', () => {
  it.each([
    ['file:///etc/passwd'],
    ['ftp://images.example/'],
    ['gopher://images.example/'],
    ['unix:/run/socket'],
    ['javascript:alert(1)'],
    ['http://kim:hunter2@images.example/'],
    ['http://kim@images.example/'],
    ['http://images.example:22/'],
    ['https://images.example:25/'],
    ['images.example'],
    ['http://'],
    [''],
    [`http://images.example/${'a'.repeat(3_000)}`],
  ])('that nobody should call is told to who wrote it: %s', async (url) => {
    const fault = expect.objectContaining({ type: 'invalid', faults: [expect.objectContaining({ field: 'source' })] })
    expect(() => requireCallable(url, 'source')).toThrow(fault)
    await expect(outbound().open(call(url))).rejects.toMatchObject({ type: 'invalid' })
  })
})

describe('a name', () => {
  it('is resolved once, and the connection is made to just that', async () => {
    const { port, requests } = await serve(hello)
    let asked = 0
    // rebinding: what was checked, and then another
    const resolve = async () => (++asked === 1 ? ['127.0.0.2'] : ['127.0.0.1'])
    await outbound({ resolve }).fetch(call(`http://images.example:${port}/`))
    expect(requests).toMatchObject([{ to: '127.0.0.2', headers: { host: `images.example:${port}` } }])
    expect(asked).toBe(1)
  })

  it('with good and bad addresses is called at the good ones alone', async () => {
    const { port, requests } = await serve(hello)
    const resolve = async () => ['127.0.0.1', '10.0.0.1', '127.0.0.2', '::1']
    await outbound({ resolve }).fetch(call(`http://images.example:${port}/`))
    expect(requests.map(({ to }) => to)).toEqual(['127.0.0.2'])
  })

  it('that does not resolve, or answers nothing, is unreachable, and its message names no address', async () => {
    const away = outbound({ resolve: async () => Promise.reject(new Error('ENOTFOUND')) })
    await expect(away.open(call('http://images.example/'))).rejects.toEqual(failing('unreachable'))
    const inside = outbound({ networks: ['public'], resolve: async () => ['10.7.7.7'] })
    await expect(inside.open(call('http://images.example/'))).rejects.toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('10.7') }),
    )
  })
})

describe('a redirect', () => {
  it('is followed where it may go, its name looked at like the first', async () => {
    const second = await serve(hello)
    const first = await serve(redirect(`http://mirror.example:${second.port}/b`))
    const names: string[] = []
    const resolve = async (name: string) => [names.push(name) === 1 ? '127.0.0.2' : '127.0.0.3']
    const { url, body } = await outbound({ networks: ['127.0.0.2/31'], resolve }).fetch(
      call(`http://images.example:${first.port}/a`),
    )
    expect([url, body.toString()]).toEqual([`http://mirror.example:${second.port}/b`, 'hello'])
    expect(second.requests).toMatchObject([{ to: '127.0.0.3', path: '/b' }])
    expect(names).toEqual(['images.example', 'mirror.example'])
  })

  it.each([
    ['the metadata of a cloud', () => 'http://169.254.169.254/latest/meta-data/'],
    ['this machine', (port: number) => `http://127.0.0.1:${port}/`],
    ['this machine, by a name', (port: number) => `http://inside.example:${port}/`],
    ['this machine, without a scheme', (port: number) => `//127.0.0.1:${port}/`],
    ['a file', () => 'file:///etc/passwd'],
    ['credentials', (port: number) => `http://kim:hunter2@127.0.0.2:${port}/`],
    ['nowhere', () => 'http://['],
  ])('to %s is refused', async (_, location) => {
    const inside = await serve(hello)
    const first = await serve(redirect(location(inside.port)))
    const resolve = async (name: string) => [name === 'inside.example' ? '127.0.0.1' : '127.0.0.2']
    await expect(outbound({ resolve }).open(call(`http://images.example:${first.port}/`))).rejects.toEqual(
      failing('refused'),
    )
    expect(inside.requests).toEqual([])
  })

  it('after redirect ends', async () => {
    const { port, requests } = await serve(redirect('/again'))
    await expect(outbound().open(call(`http://127.0.0.2:${port}/`))).rejects.toEqual(failing('too-many-redirects'))
    expect(requests).toHaveLength(6)
  })

  it('takes what was meant for the first host to no other', async () => {
    const second = await serve(hello)
    const first = await serve(redirect(`http://127.0.0.2:${second.port}/`))
    const headers = { Authorization: 'Bearer secret', Cookie: 'a=b', 'X-Kept': 'c' }
    await outbound().fetch(call(`http://127.0.0.2:${first.port}/`, { headers }))
    expect(first.requests[0]?.headers).toMatchObject({ authorization: 'Bearer secret', cookie: 'a=b' })
    expect(second.requests[0]?.headers).toMatchObject({ 'x-kept': 'c' })
    expect(second.requests[0]?.headers).not.toHaveProperty('authorization')
    expect(second.requests[0]?.headers).not.toHaveProperty('cookie')
  })

  it('of a POST is an answer', async () => {
    const second = await serve(hello)
    const first = await serve(redirect(`http://127.0.0.2:${second.port}/`, 307))
    const { status } = await outbound().fetch(call(`http://127.0.0.2:${first.port}/`, { method: 'POST', body: '{}' }))
    expect(status).toBe(307)
    expect(second.requests).toEqual([])
  })
})

describe('a call is bounded', () => {
  it('in size', async () => {
    const { port } = await serve((_, response) => response.end('a'.repeat(1_001)))
    await expect(outbound().fetch(call(`http://127.0.0.2:${port}/`))).rejects.toEqual(failing('too-large'))
    const { body } = await outbound().fetch(call(`http://127.0.0.2:${port}/`, { maxBytes: 1_001 }))
    expect(body).toHaveLength(1_001)
  })

  it('in size as it arrives, which is not unpacked', async () => {
    const { port, requests } = await serve(hello)
    await outbound().fetch(call(`http://127.0.0.2:${port}/`))
    expect(requests[0]?.headers['accept-encoding']).toBe('identity')
  })

  it.each([
    ['when nothing is answered', ''],
    ['when the answer does not end', 'a'],
  ])('in time %s', async (_, begun) => {
    const { port } = await serve((_request, response) => begun && response.write(begun))
    await expect(outbound().fetch(call(`http://127.0.0.2:${port}/`, { timeoutMs: 200 }))).rejects.toEqual(
      failing('timeout'),
    )
  })

  it('in time when the name is not resolved', async () => {
    const never = outbound({ resolve: () => new Promise(() => {}) })
    await expect(never.open(call('http://images.example/', { timeoutMs: 100 }))).rejects.toEqual(failing('timeout'))
  })

  it('in number', async () => {
    const waiting: ServerResponse[] = []
    const { port } = await serve((_, response) => waiting.push(response))
    const one = outbound()
    const open = () => one.fetch(call(`http://127.0.0.2:${port}/`))
    const calls = Array.from({ length: 64 }, open)
    await expect(open()).rejects.toEqual(failing('too-many-calls'))
    while (waiting.length < 64) await new Promise((resolve) => setImmediate(resolve))
    for (const response of waiting) response.end('done')
    await Promise.all(calls)
    const again = open()
    while (waiting.length < 65) await new Promise((resolve) => setImmediate(resolve))
    waiting[64]?.end('done')
    expect((await again).body.toString()).toBe('done')
  })
})

describe('TLS', () => {
  it('is checked: issuer and name', async () => {
    const { port, requests } = await serve(hello, true)
    const { cert: ca } = selfSigned
    await expect(outbound().open(call(`https://images.example:${port}/`))).rejects.toEqual(failing('unreachable'))
    await expect(outbound({ ca }).open(call(`https://other.example:${port}/`))).rejects.toEqual(failing('unreachable'))
    await expect(outbound({ ca }).open(call(`https://127.0.0.2:${port}/`))).rejects.toEqual(failing('unreachable'))
    expect(requests).toEqual([])
    expect((await outbound({ ca }).fetch(call(`https://images.example:${port}/`))).body.toString()).toBe('hello')
  })

  it('is not left by a redirect', async () => {
    const plain = await serve(hello)
    const { port } = await serve(redirect(`http://images.example:${plain.port}/`), true)
    await expect(outbound({ ca: selfSigned.cert }).open(call(`https://images.example:${port}/`))).rejects.toEqual(
      failing('refused'),
    )
    expect(plain.requests).toEqual([])
  })
})

it.each([['Host'], ['Transfer-Encoding'], ['content-length']])('the header %s is nobody’s to set', async (name) => {
  const { port } = await serve(hello)
  const opening = outbound().open(call(`http://127.0.0.2:${port}/`, { headers: { [name]: 'x' } }))
  await expect(opening).rejects.toThrow()
})
