import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTls } from 'node:tls'
import { Checker, type Finding } from '../../src/agent/balancing/drivers/nginx/checker.js'
import { checksOf, type MemberCheck } from '../../src/agent/balancing/drivers/nginx/checks.js'
import { kernelAddress, listenerStatistics } from '../../src/agent/balancing/drivers/nginx/connections.js'
import { nextGapMs } from '../../src/agent/balancing/drivers/nginx/member-watch.js'
import { probe } from '../../src/agent/balancing/drivers/nginx/probe.js'
import { statusesOf } from '../../src/agent/balancing/drivers/nginx/statuses.js'
import type { HealthMonitorIntent } from '../../src/wire/balancing/intent.js'
import { selfSigned } from '../support/certificate.js'
import { eventually } from '../support/eventually.js'
import { aBalancer, aListener, aMember, aMonitor, aPool, id } from './support/nginx-intents.js'

const checkOf = (port: number, monitor: Partial<HealthMonitorIntent> = {}, address = '127.0.0.1'): MemberCheck => {
  const pool = aPool(1, [aMember(1, port, { address })], { monitor: aMonitor({ timeout: 5, ...monitor }) })
  return checksOf(aBalancer([], [pool]))[0]!
}

/** Members that say what a test wants them to. */
class Members {
  readonly asked: string[] = []
  answer: string | null = 'HTTP/1.1 200 OK\r\n\r\n'
  private readonly servers: Server[] = []
  private readonly sockets = new Set<Socket>()

  /** @returns its port */
  async start(server: Server = createServer(), event = 'connection'): Promise<number> {
    server.on('connection', (socket: Socket) => this.sockets.add(socket))
    server.on(event, (socket: Socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (text) => {
        this.asked.push(text.toString())
        if (this.answer !== null) socket.end(this.answer)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.servers.push(server)
    return (server.address() as AddressInfo).port
  }

  stop(): void {
    for (const server of this.servers) server.close()
    for (const socket of this.sockets) socket.destroy()
  }
}

describe('a check of a member', () => {
  let members: Members
  beforeEach(() => {
    members = new Members()
  })
  afterEach(() => members.stop())

  it('asks for what the monitor says, and takes the codes that it names for good', async () => {
    const port = await members.start()
    expect(await probe(checkOf(port))).toBeNull()
    const monitor = { httpMethod: 'HEAD', urlPath: '/a?b', httpVersion: '1.1', domainName: 'x.example' } as const
    expect(await probe(checkOf(port, { ...monitor, expectedCodes: '100-150, 200' }))).toBeNull()
    expect(await probe(checkOf(port, { httpVersion: '1.1', expectedCodes: '201,300-302' }))).toBe('the answer was 200')
    expect(members.asked).toEqual([
      'GET / HTTP/1.0\r\nConnection: close\r\n\r\n',
      'HEAD /a?b HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',
    ])
  })

  it('asks over TLS where it is said to, whoever signed the certificate', async () => {
    const port = await members.start(createTls(selfSigned), 'secureConnection')
    expect(await probe(checkOf(port, { type: 'HTTPS' }))).toBeNull()
    expect(await probe(checkOf(port, { type: 'TLS-HELLO' }))).toBeNull()
    members.answer = 'HTTP/1.0 503 \r\n'
    expect(await probe(checkOf(port, { type: 'HTTPS' }))).toBe('the answer was 503')
  })

  it('ends in its time with one that says nothing, and tells what else is wrong', async () => {
    const port = await members.start()
    members.answer = null
    expect(await probe({ ...checkOf(port), timeoutMs: 50 })).toBe('no answer within 50 ms')
    expect(await probe({ ...checkOf(port, { type: 'TLS-HELLO' }), timeoutMs: 50 })).toBe('no answer within 50 ms')
    members.answer = 'SSH-2.0\r\n'
    expect(await probe(checkOf(port))).toBe('the answer was not HTTP')
    members.answer = 'x'.repeat(5000)
    expect(await probe(checkOf(port))).toBe('the answer was not HTTP')
    members.answer = ''
    expect(await probe(checkOf(port))).toBe('the connection was closed before an answer')
    expect(await probe(checkOf(port, { type: 'TCP' }))).toBeNull()
    members.stop()
    await eventually(async () => expect(await probe(checkOf(port, { type: 'TCP' }))).toContain('ECONNREFUSED'))
  })

  it('takes the silence of a UDP port for good, and a refusal for bad', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const check = { ...checkOf(socket.address().port, { type: 'UDP-CONNECT' }), timeoutMs: 100 }
    expect(await probe(check)).toBeNull()
    socket.close()
    await once(socket, 'close')
    expect(await probe({ ...check, timeoutMs: 5000 })).toContain('ECONNREFUSED')
  })

  it('says so where there is no way to an address', async () => {
    const nowhere = '255.255.255.255'
    expect(await probe(checkOf(9, { type: 'UDP-CONNECT' }, nowhere))).toContain('EACCES')
    expect(await probe(checkOf(9, { type: 'TCP' }, nowhere))).toMatch(/ENETUNREACH|EACCES|EINVAL/)
    expect(await probe({ ...checkOf(9, { type: 'TCP' }), port: 70_000 })).toContain('Port')
  })

  it('goes to the address and port of the monitor, and to none that is off', () => {
    const pool = aPool(
      1,
      [
        aMember(1, 80, { monitorAddress: '2001:db8::9', monitorPort: 81 }),
        aMember(2, 80, { address: '2001:db8::1' }),
        aMember(3, 80, { adminStateUp: false }),
      ],
      { monitor: aMonitor({ httpVersion: '1.1' }) },
    )
    const checks = checksOf(aBalancer([], [pool]))
    expect(checks.map(({ address, port }) => `${address} ${port}`)).toEqual(['2001:db8::9 81', '2001:db8::1 80'])
    expect(checks[1]!.request).toContain('Host: [2001:db8::1]\r\n')
    expect(checksOf(aBalancer([], [{ ...pool, adminStateUp: false }]))).toEqual([])
    expect(checksOf(aBalancer([], [{ ...pool, monitor: aMonitor({ adminStateUp: false }) }]))).toEqual([])
  })

  it('cannot be made to say more than its line', () => {
    expect(() => checkOf(80, { urlPath: '/\r\nHost: a' })).toThrow('control character')
    expect(() => checkOf(80, { urlPath: '/ HTTP/1.1' })).toThrow('blank')
    expect(() => checkOf(80, { domainName: 'a\nb' })).toThrow('control character')
  })
})

describe('the checker', () => {
  let members: Members
  let checker: Checker
  let told: Finding[]
  beforeEach(() => {
    members = new Members()
    told = []
    checker = new Checker((finding) => told.push(finding))
  })
  afterEach(() => {
    checker.stop()
    members.stop()
  })

  const founds = () => told.map(({ found }) => found)
  const fast = async () => ({ ...checkOf(await members.start()), delayMs: 5, rise: 3, fall: 2 })

  it('believes the first look at a member, and needs as many in a row to change its mind as the monitor says', async () => {
    const check = await fast()
    checker.set([{ ...check, known: 'not-yet' }])
    await eventually(() => expect(founds()).toEqual(['well']))
    const bad = 'HTTP/1.1 500 \r\n'
    members.asked.length = 0
    members.answer = bad
    await eventually(() => expect(founds()).toContain('ill'))
    expect(members.asked.length).toBeGreaterThanOrEqual(2)
    members.asked.length = 0
    members.answer = 'HTTP/1.1 200 OK\r\n'
    await eventually(() => expect(founds().at(-1)).toBe('well'))
    expect(members.asked.length).toBeGreaterThanOrEqual(3)
  })

  it('goes on with what was known, and tells only what is new', async () => {
    const check = await fast()
    members.answer = 'HTTP/1.1 500 \r\n'
    checker.set([{ ...check, known: 'well' }])
    // the same again is no other check
    checker.set([{ ...check, known: 'not-yet' }])
    await eventually(() => expect(founds()).toEqual(['well', 'ill']))
    const asked = members.asked.length
    await eventually(() => expect(members.asked.length).toBeGreaterThan(asked + 3))
    expect(told).toHaveLength(2)
    checker.set([])
    const { length } = members.asked
    checker.set([{ ...check, known: 'ill', memberId: id('e', 2) }])
    await eventually(() => expect(members.asked.length).toBeGreaterThan(length))
    expect(told.at(-1)?.memberId).toBe(id('e', 2))
  })
})

describe('members that come and go', () => {
  it('are taken in longer and longer steps, and at once again after some quiet', () => {
    let gapMs = nextGapMs(1000, Number.POSITIVE_INFINITY)
    expect(gapMs).toBe(1000)
    for (let at = 0; at < 10; at++) gapMs = nextGapMs(gapMs, gapMs)
    expect(gapMs).toBe(10_000)
    expect(nextGapMs(gapMs, 60_000)).toBe(1000)
  })
})

describe('what is seen of a balancer of nginx', () => {
  const pools = () => [aPool(1, [aMember(1, 1), aMember(2, 2)], { monitor: aMonitor() }), aPool(2, [aMember(3, 3)])]
  const listeners = [aListener(1, 80), aListener(2, 81, { protocol: 'TCP' }), aListener(3, 82, { adminStateUp: false })]
  const of = (well: readonly number[], ill: readonly number[], more = {}, running = true) => {
    const balancer = aBalancer(listeners, pools(), more)
    const foundOf = (member: string) =>
      well.some((number) => id('e', number) === member)
        ? 'well'
        : ill.some((number) => id('e', number) === member)
          ? 'ill'
          : 'not-yet'
    const statuses = statusesOf(balancer, foundOf, running)
    return [balancer.id, id('a', 1), id('a', 2), id('a', 3), id('c', 1), id('e', 1), id('e', 2), id('e', 3)]
      .map((each) => statuses[each])
      .join(' ')
  }

  it('is the worst of its pools, and a closed port says so', () => {
    expect(of([1, 2], [])).toBe('ONLINE ONLINE ONLINE OFFLINE ONLINE ONLINE ONLINE NO_MONITOR')
    expect(of([1], [2])).toBe('DEGRADED ONLINE ONLINE OFFLINE DEGRADED ONLINE ERROR NO_MONITOR')
    expect(of([], [1, 2])).toBe('ERROR ONLINE ERROR OFFLINE ERROR ERROR ERROR NO_MONITOR')
    expect(of([], [])).toBe('ONLINE ONLINE OFFLINE OFFLINE OFFLINE OFFLINE OFFLINE NO_MONITOR')
    expect(of([1, 2], [], {}, false)).toBe('ERROR ERROR ERROR OFFLINE ONLINE ONLINE ONLINE NO_MONITOR')
    expect(of([1, 2], [], { adminStateUp: false })).toBe(
      'OFFLINE OFFLINE OFFLINE OFFLINE ONLINE ONLINE ONLINE NO_MONITOR',
    )
  })

  it('counts the open connections of its port, and none when the process has gone', async () => {
    const members = new Members()
    members.answer = null
    const port = await members.start()
    const balancer = aBalancer([aListener(1, port)], [])
    const vip = { ...balancer.vip, address: '127.0.0.1' }
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const nobody = { activeConnections: 0, totalConnections: 0, bytesIn: 0, bytesOut: 0, requestErrors: 0 }
    expect(await listenerStatistics(process.pid, { ...balancer, vip })).toEqual({
      [id('a', 1)]: { ...nobody, activeConnections: 1 },
    })
    expect(await listenerStatistics(2 ** 30, { ...balancer, vip })).toEqual({ [id('a', 1)]: nobody })
    socket.destroy()
    members.stop()
  })

  it('is found in the table of sockets by the address as the kernel writes it', () => {
    expect(kernelAddress('127.0.48.1')).toBe('0130007F')
    expect(kernelAddress('2001:db8::1')).toBe('B80D0120000000000000000001000000')
  })
})
