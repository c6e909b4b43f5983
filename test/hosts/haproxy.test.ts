import { once } from 'node:events'
import { Agent } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import {
  aBalancer,
  aListener,
  aMember,
  aMonitor,
  aPolicy,
  aPool,
  aRule,
  idOf,
} from '../agent/support/balancer-intent.js'
import { selfSigned } from '../support/certificate.js'
import { eventually } from '../support/eventually.js'
import { HaproxyBench } from './support/haproxy-bench.js'
import { describeWith } from './support/needs.js'
import { firstWords, get, startTcp, Web } from './support/web.js'

const VIP = '127.0.91.1'
const PORT = 8391
const LB = idOf('a', 1)
const SOON = { timeoutMs: 20_000 }

describeWith(['haproxy'], 'HAProxy as a load balancer', () => {
  let bench: HaproxyBench
  let webs: Web[]

  beforeAll(async () => {
    webs = await Promise.all(['one', 'two', 'three'].map((name, index) => Web.start(name, `127.0.91.${10 + index}`)))
  })
  afterAll(async () => {
    for (const web of webs) await web.stop()
  })
  beforeEach(() => {
    bench = new HaproxyBench()
  })
  afterEach(async () => {
    for (const web of webs) web.isWell = true
    await bench.end()
  })

  const monitor = () => aMonitor({ urlPath: '/health' })
  const memberOf = (index: number, more = {}) =>
    aMember(index + 1, { address: webs[index]!.address, port: webs[index]!.port, ...more })
  const poolOf = (indices: readonly number[], more = {}, number = 1) =>
    aPool(number, { monitor: monitor(), members: indices.map((index) => memberOf(index)), ...more })
  const shop = (pools = [poolOf([0, 1])], listener = {}) =>
    aBalancer({ listeners: [aListener(1, { port: PORT, ...listener })], pools })
  const ask = (path = '/', more: object = {}) => get({ host: VIP, port: PORT, path, ...more })
  const nameOf = async (path = '/', more: object = {}) => (await ask(path, more)).headers['x-member']
  /** How often each member answered. */
  async function counts(requests: number, more: object = {}): Promise<Record<string, number>> {
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const names: string[] = []
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let each = 0; each < requests / 8; each++) {
          names.push(String((await ask('/', { agent, ...more })).headers['x-member']))
        }
      }),
    )
    agent.destroy()
    return Object.fromEntries([...new Set(names)].map((name) => [name, names.filter((each) => each === name).length]))
  }
  const allUp = (balancer = shop()) =>
    eventually(async () => {
      const { statuses } = (await bench.observe(balancer)).detail
      for (const { id, monitor: judged } of balancer.pools.flatMap((pool) =>
        pool.members.filter(({ adminStateUp }) => adminStateUp).map(({ id }) => ({ id, monitor: pool.monitor })),
      )) {
        expect([id, statuses[id]]).toEqual([
          id,
          expect.stringMatching(judged ? /ONLINE|DRAINING/ : /NO_MONITOR|DRAINING/),
        ])
      }
    }, SOON)
  async function up(balancer = shop()): Promise<void> {
    await bench.apply(balancer)
    await allUp(balancer)
  }

  it('carries HTTP to its members, with the headers that were asked for', async () => {
    await up(
      shop(undefined, {
        insertHeaders: { 'X-Forwarded-For': true, 'X-Forwarded-Port': true, 'X-Forwarded-Proto': true },
      }),
    )
    const { headers } = JSON.parse((await ask()).body)
    expect(headers).toMatchObject({
      'x-forwarded-for': expect.stringMatching(/^127\./),
      'x-forwarded-port': String(PORT),
      'x-forwarded-proto': 'http',
    })
    expect(Object.keys(await counts(40)).sort()).toEqual(['one', 'two'])
  })

  it('is there well within half a second of being asked for', async () => {
    const startedMs = performance.now()
    await bench.apply(shop([poolOf([0], { monitor: null })]))
    expect((await ask()).status).toBe(200)
    // what it takes is measured elsewhere: this machine may be busy
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })

  it('carries TCP', async () => {
    const { server, port } = await startTcp('echo', '127.0.91.20')
    const pool = aPool(1, {
      protocol: 'TCP',
      monitor: aMonitor({ type: 'TCP' }),
      members: [aMember(1, { address: '127.0.91.20', port })],
    })
    await up(shop([pool], { protocol: 'TCP' }))
    expect(await firstWords(VIP, PORT)).toBe('echo\n')
    server.close()
  })

  it.each([
    ['PROXY', /^PROXY TCP4 127\.\S+ 127\.0\.91\.1 \d+ 8391\r\n/],
    ['PROXYV2', /^\r\n\r\n\0\r\nQUIT\n/],
  ] as const)('tells members by %s who the client is', async (protocol, told) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.pipe(socket)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.91.21', resolve))
    const { port } = server.address() as AddressInfo
    const members = [aMember(1, { address: '127.0.91.21', port })]
    await up(shop([aPool(1, { protocol, monitor: aMonitor({ type: 'TCP' }), members })], { protocol: 'TCP' }))
    expect(await firstWords(VIP, PORT)).toMatch(told)
    server.close()
  })

  it('passes TLS on to members, whose answer to it is what is checked', async () => {
    const server = createTlsServer(selfSigned)
    server.on('tlsClientError', () => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.91.22', resolve))
    const { port } = server.address() as AddressInfo
    const members = [
      aMember(1, { address: '127.0.91.22', port }),
      // answers, and not to TLS
      aMember(2, { address: webs[0]!.address, port: webs[0]!.port }),
    ]
    const balancer = shop([aPool(1, { protocol: 'HTTPS', monitor: aMonitor({ type: 'TLS-HELLO' }), members })], {
      protocol: 'HTTPS',
    })
    await bench.apply(balancer)
    await eventually(async () => {
      const { statuses } = (await bench.observe(balancer)).detail
      expect([statuses[idOf('e', 1)], statuses[idOf('e', 2)]]).toEqual(['ONLINE', 'ERROR'])
    }, SOON)
    const socket = connectTls({ host: VIP, port: PORT, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    expect(socket.getPeerCertificate().subject.CN).toBe('images.example')
    socket.destroy()
    server.close()
  })

  it('uses a member only after its first good check, and follows one that fails and comes back', async () => {
    await webs[1]!.stop()
    const balancer = shop([poolOf([0, 1], { monitor: { ...monitor(), maxRetriesDown: 2, maxRetries: 2 } })])
    await bench.apply(balancer)
    await eventually(async () => {
      const { status, detail } = await bench.observe(balancer)
      expect(detail.statuses).toMatchObject({
        [idOf('e', 1)]: 'ONLINE',
        [idOf('e', 2)]: 'ERROR',
        [idOf('d', 1)]: 'DEGRADED',
        [idOf('c', 1)]: 'ONLINE',
      })
      expect(status).toBe('DEGRADED')
    }, SOON)
    expect(await counts(40)).toEqual({ one: 40 })
    await webs[1]!.start()
    await allUp(balancer)
    expect(Object.keys(await counts(40)).sort()).toEqual(['one', 'two'])
    await webs[0]!.stop()
    await webs[1]!.stop()
    await eventually(async () => {
      const { status, fault } = await bench.observe(balancer)
      expect(status).toBe('ERROR')
      expect(fault?.message).toMatch(/no member of pool .* is up; .*Layer4/)
    }, SOON)
    expect((await ask()).status).toBe(503)
    await webs[0]!.start()
    await webs[1]!.start()
    await allUp(balancer)
  })

  it('never sends a request to a member that has not been seen good, also one added while it runs', async () => {
    await up(shop([poolOf([0])]))
    const [before, requests] = [await bench.worker(LB), webs[2]!.requests]
    webs[2]!.isWell = false
    await bench.apply(shop([poolOf([0, 2])]))
    expect(await bench.worker(LB)).toBe(before)
    expect(await counts(80)).toEqual({ one: 80 })
    // nor after a start, or a reload with another listener
    await bench.apply(shop([poolOf([0, 2])], { connectionLimit: 70 }))
    expect(await counts(80)).toEqual({ one: 80 })
    expect(webs[2]!.requests).toBe(requests)
    webs[2]!.isWell = true
    await allUp(shop([poolOf([0, 2])]))
    expect(Object.keys(await counts(40)).sort()).toEqual(['one', 'three'])
  })

  it('sends none either to one that was off, or has moved, until it is seen good there', async () => {
    const off = shop([poolOf([], { members: [memberOf(0), memberOf(2, { adminStateUp: false })] })])
    await up(off)
    const requests = webs[2]!.requests
    webs[2]!.isWell = false
    await bench.apply(shop([poolOf([0, 2])]))
    expect(await counts(40)).toEqual({ one: 40 })
    await up(shop([poolOf([0, 1])]))
    await bench.apply(
      shop([poolOf([], { members: [memberOf(0), memberOf(1, { port: webs[2]!.port, address: webs[2]!.address })] })]),
    )
    expect(await counts(40)).toEqual({ one: 40 })
    expect(webs[2]!.requests).toBe(requests)
    webs[2]!.isWell = true
  })

  it('spreads requests by weight within 5 %', async () => {
    await up(shop([poolOf([], { members: [memberOf(0, { weight: 1 }), memberOf(1, { weight: 3 })] })]))
    const { one = 0, two = 0 } = await counts(2_000)
    expect(Math.abs(one / (one + two) - 0.25)).toBeLessThan(0.05)
  })

  it('drains, disables, weighs, adds and removes members without a reload', async () => {
    await up()
    const worker = await bench.worker(LB)
    const members = (...list: ReturnType<typeof memberOf>[]) => shop([poolOf([], { members: list })])
    const steps: [ReturnType<typeof shop>, string[]][] = [
      [members(memberOf(0, { draining: true }), memberOf(1)), ['two']],
      [members(memberOf(0), memberOf(1, { weight: 0 })), ['one']],
      [members(memberOf(0, { adminStateUp: false }), memberOf(1)), ['two']],
      [members(memberOf(0), memberOf(1), memberOf(2)), ['one', 'three', 'two']],
      [members(memberOf(2)), ['three']],
      [members(aMember(3, { address: webs[0]!.address, port: webs[0]!.port })), ['one']],
    ]
    for (const [balancer, names] of steps) {
      await bench.apply(balancer)
      await allUp(balancer)
      expect(Object.keys(await counts(40)).sort()).toEqual(names)
    }
    expect(await bench.worker(LB)).toBe(worker)
    // what the file says is what the process does
    await bench.apply(
      aBalancer({ ...steps.at(-1)![0], listeners: [aListener(1, { port: PORT, connectionLimit: 99 })] }),
    )
    expect(await bench.worker(LB)).not.toBe(worker)
    await allUp(steps.at(-1)![0])
    expect(await counts(16)).toEqual({ one: 16 })
  })

  it('changes a thousand members without a reload', async () => {
    const many = (weight: number, count: number) =>
      shop([
        poolOf([], {
          monitor: null,
          members: Array.from({ length: count }, (_, index) =>
            aMember(index + 1, { address: webs[0]!.address, port: webs[0]!.port, weight }),
          ),
        }),
      ])
    await bench.apply(many(1, 1))
    const worker = await bench.worker(LB)
    for (const balancer of [many(1, 1_000), many(5, 1_000), many(5, 2)]) {
      await bench.apply(balancer)
      expect((await ask()).status).toBe(200)
      const { statuses } = (await bench.observe(balancer)).detail
      expect(balancer.pools[0]!.members.filter(({ id }) => statuses[id] !== 'NO_MONITOR')).toEqual([])
    }
    expect(await bench.worker(LB)).toBe(worker)
  }, 60_000)

  it('uses backup members only while no other is up', async () => {
    const balancer = shop([poolOf([], { members: [memberOf(0), memberOf(1, { backup: true })] })])
    await up(balancer)
    expect(await counts(16)).toEqual({ one: 16 })
    await webs[0]!.stop()
    await eventually(async () => expect(await nameOf()).toBe('two'), SOON)
    await webs[0]!.start()
    await eventually(async () => expect(await nameOf()).toBe('one'), SOON)
  })

  it('answers, redirects and routes by policies, the first that is met', async () => {
    const policies = [
      aPolicy(1, { rules: [aRule(1, { value: '/private' }), aRule(2, { value: '/private/open', invert: true })] }),
      aPolicy(2, {
        action: 'REDIRECT_TO_POOL',
        redirectPoolId: idOf('d', 2),
        rules: [aRule(3, { type: 'HOST_NAME', compareType: 'EQUAL_TO', value: 'API.example.org' })],
      }),
      aPolicy(3, {
        action: 'REDIRECT_TO_URL',
        redirectUrl: 'https://example.org/50%?a="b"',
        redirectHttpCode: 307,
        rules: [aRule(4, { type: 'HEADER', key: 'X-Old', compareType: 'CONTAINS', value: `a "b' #$ c` })],
      }),
      aPolicy(4, {
        action: 'REDIRECT_PREFIX',
        redirectPrefix: 'https://www.example.org',
        rules: [aRule(5, { type: 'FILE_TYPE', compareType: 'EQUAL_TO', value: 'jpg' })],
      }),
      aPolicy(5, {
        action: 'REDIRECT_TO_POOL',
        redirectPoolId: idOf('d', 2),
        rules: [aRule(6, { type: 'COOKIE', key: 'beta', compareType: 'REGEX', value: '^(yes|on)$' })],
      }),
    ]
    const balancer = shop(
      [poolOf([0]), poolOf([1], { monitor: null, members: [aMember(9, memberOf(1, { id: idOf('e', 9) }))] }, 2)],
      { policies },
    )
    await up(balancer)
    expect((await ask('/private/x')).status).toBe(403)
    expect((await ask('/private/open')).status).toBe(200)
    expect((await ask('/private/x', { headers: { host: 'api.example.org' } })).status).toBe(403)
    expect(await nameOf('/', { headers: { host: 'api.example.org:8391' } })).toBe('two')
    // the pool was chosen first, whatever the policies after it say
    expect(await nameOf('/a.jpg', { headers: { host: 'api.example.org' } })).toBe('two')
    const old = await ask('/', { headers: { 'X-Old': `the a "b' #$ c.` } })
    expect([old.status, old.headers.location]).toEqual([307, 'https://example.org/50%?a="b"'])
    const picture = await ask('/x/a.jpg?size=1')
    expect([picture.status, picture.headers.location]).toEqual([302, 'https://www.example.org/x/a.jpg?size=1'])
    expect(await nameOf('/x.jpg/plain')).toBe('one')
    expect(await nameOf('/', { headers: { cookie: 'beta=on' } })).toBe('two')
    expect(await nameOf('/', { headers: { cookie: 'beta=online' } })).toBe('one')
  })

  it('lets in whom it is told to', async () => {
    await up(shop(undefined, { allowedCidrs: ['127.0.92.0/24', '2001:db8::/32'] }))
    expect((await ask('/', { localAddress: '127.0.92.7' })).status).toBe(200)
    await expect(ask('/', { localAddress: '127.0.93.7' })).rejects.toThrow()
  })

  it('keeps clients at their member by a cookie of its own, of the application, or by their address', async () => {
    await up(shop([poolOf([0, 1], { persistence: { type: 'HTTP_COOKIE', cookieName: null } })]))
    const first = await ask()
    const cookie = first.headers['set-cookie']![0]!.split(';')[0]!
    expect(await counts(24, { headers: { cookie } })).toEqual({ [String(first.headers['x-member'])]: 24 })

    await up(shop([poolOf([0, 1], { persistence: { type: 'APP_COOKIE', cookieName: 'SESSION' } })]))
    const login = String(await nameOf('/login'))
    expect(await counts(24, { headers: { cookie: 'SESSION=abc' } })).toEqual({ [login]: 24 })

    await up(shop([poolOf([0, 1], { persistence: { type: 'SOURCE_IP', cookieName: null } })]))
    const mine = String(await nameOf())
    expect(await counts(24)).toEqual({ [mine]: 24 })
    const wholly = shop([poolOf([0, 1], { persistence: { type: 'SOURCE_IP', cookieName: null } })], {
      connectionLimit: 50,
    })
    const others = await Promise.all(
      Array.from({ length: 8 }, (_, index) => nameOf('/', { localAddress: `127.0.94.${index + 1}` })),
    )
    await up(wholly)
    const after = await Promise.all(
      Array.from({ length: 8 }, (_, index) => nameOf('/', { localAddress: `127.0.94.${index + 1}` })),
    )
    expect(after).toEqual(others)
  })

  it('reloads under keep-alive load without a failed request, and goes on counting', async () => {
    await up()
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    let [answered, failed, isOver] = [0, 0, false]
    const load = Array.from({ length: 16 }, async () => {
      while (!isOver) {
        const isGood = await ask('/', { agent }).then(
          ({ status }) => status === 200,
          () => false,
        )
        if (isGood) answered++
        else failed++
      }
    })
    for (let limit = 1_000; limit < 1_006; limit++) {
      const before = answered
      await bench.apply(shop(undefined, { connectionLimit: limit }))
      await eventually(() => expect(answered).toBeGreaterThan(before + 100))
    }
    isOver = true
    await Promise.all(load)
    expect(failed).toBe(0)
    // what a request of this client is in bytes, by one that no reload comes near
    const bytes = async () => (await bench.observe(shop())).detail.statistics[idOf('c', 1)]!.bytesIn
    const [inAll] = [await bytes()]
    await ask('/', { agent })
    const one = await eventually(async () => {
      const more = (await bytes()) - inAll
      expect(more).toBeGreaterThan(0)
      return more
    })
    // a worker that was relieved is asked once, and may serve each connection one request more
    expect(inAll).toBeGreaterThanOrEqual((answered - 6 * 16) * one)
    agent.destroy()
  }, 60_000)
})
