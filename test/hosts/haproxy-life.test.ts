import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect as connectTcp, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { LoadBalancerIntent } from '../../src/wire/balancing/intent.js'
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
import { whenTestEnds } from '../agent/support/temporary.js'
import { eventually } from '../support/eventually.js'
import { HaproxyBench } from './support/haproxy-bench.js'
import { describeWith } from './support/needs.js'
import { get, Web } from './support/web.js'

const VIP = '127.0.95.1'
const PORT = 8395
const LB = idOf('a', 1)

describeWith(['haproxy', 'openssl', 'ip'], 'the life of an HAProxy', () => {
  let bench: HaproxyBench
  let web: Web

  beforeAll(async () => {
    web = await Web.start('one', '127.0.95.10')
  })
  afterAll(() => web.stop())
  beforeEach(() => {
    bench = new HaproxyBench()
  })
  afterEach(() => bench.end())

  const pool = (more: Parameters<typeof aPool>[1] = {}) =>
    aPool(1, {
      monitor: aMonitor({ urlPath: '/health' }),
      members: [aMember(1, { address: web.address, port: web.port })],
      ...more,
    })
  const shop = (listener: object = {}, more: Partial<LoadBalancerIntent> = {}) =>
    aBalancer({
      vip: { ...aBalancer().vip, address: VIP },
      listeners: [aListener(1, { port: PORT, ...listener })],
      pools: [pool()],
      ...more,
    })
  const ask = (path = '/') => get({ host: VIP, port: PORT, path })
  const answers = () => eventually(async () => expect((await ask()).status).toBe(200))
  const refused = (balancer: LoadBalancerIntent) =>
    bench.apply(balancer).then(
      () => 'taken',
      (error: unknown) => (error as Error).message,
    )

  function certificate(name: string): { chainPem: string; key: string } {
    const [key, cert] = ['key', 'crt'].map((end) => join(bench.stateDir, `test-${name}.${end}`)) as [string, string]
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert]
    execFileSync('openssl', ['req', '-x509', ...made, ...subject], { stdio: 'pipe' })
    return { chainPem: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  }

  /** The serial number of what is shown to who asks for that name. */
  const shown = (servername: string) =>
    new Promise<{ name: string; serial: string }>((resolve, reject) => {
      const socket = connect({ host: VIP, port: PORT, servername, rejectUnauthorized: false }, () => {
        const { subject, serialNumber } = socket.getPeerCertificate()
        socket.destroy()
        resolve({ name: String(subject.CN), serial: serialNumber })
      })
      socket.once('error', reject)
    })

  it('shows the certificate that is asked for, the first to everybody else, and a new one without a new process', async () => {
    const [a, b, renewed] = ['a.example', 'b.example', 'a.example'].map(certificate)
    const tls = (first: { chainPem: string }) =>
      shop(
        { protocol: 'TERMINATED_HTTPS', certificateIds: [idOf('8', 1), idOf('8', 2)] },
        {
          certificates: [
            { id: idOf('8', 1), chainPem: first.chainPem },
            { id: idOf('8', 2), chainPem: b!.chainPem },
          ],
        },
      )
    await bench.apply(tls(a!), { [idOf('8', 1)]: a!.key, [idOf('8', 2)]: b!.key })
    expect((await shown('b.example')).name).toBe('b.example')
    expect((await shown('c.example')).name).toBe('a.example')
    const [master, { serial }] = [await bench.master(LB), await shown('a.example')]
    await bench.apply(tls(renewed!), { [idOf('8', 1)]: renewed!.key, [idOf('8', 2)]: b!.key })
    expect((await shown('a.example')).serial).not.toBe(serial)
    expect(await bench.master(LB)).toBe(master)
    const directory = join(bench.directory(LB), 'certificates')
    const files = readdirSync(directory)
    expect(files).toHaveLength(3)
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    for (const file of files) expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600)
    const { planned, current } = await bench.driver.check(bench.wanted(tls(renewed!)))
    expect(planned).toBe(current)
    expect(planned).not.toContain('PRIVATE')
  })

  it('keeps what is in force when HAProxy refuses another, and says its words', async () => {
    await bench.apply(shop())
    await answers()
    const worker = await bench.worker(LB)
    const bad = shop({
      policies: [aPolicy(1, { rules: [aRule(1, { compareType: 'REGEX', value: '(' })] })],
    })
    expect(await refused(bad)).toMatch(/regex|missing/)
    expect(await bench.driver.check(bench.wanted(bad))).toMatchObject({
      accepted: false,
      words: expect.stringMatching(/regex|missing/),
      planned: expect.stringContaining('-m reg'),
    })
    expect((await ask()).status).toBe(200)
    await bench.apply(shop())
    expect(await bench.worker(LB)).toBe(worker)
  })

  it('leaves nothing of a first one that is refused', async () => {
    expect(await refused(shop({ allowedCidrs: ['x'] }))).toContain('no range')
    expect(
      await refused(shop({ policies: [aPolicy(1, { rules: [aRule(1, { compareType: 'REGEX', value: '(' })] })] })),
    ).toMatch(/regex|missing/)
    expect(await bench.rest(LB)).toEqual({ processes: [], isOnDisk: false })
    expect(await bench.driver.list()).toEqual([])
    expect(await bench.driver.observe(bench.wanted(shop()))).toBeNull()
  })

  describe('where another has the port', () => {
    let other: Server
    beforeEach(async () => {
      other = createServer()
      await new Promise<void>((resolve) => other.listen(PORT + 1, VIP, resolve))
    })
    afterEach(() => new Promise((resolve) => other.close(resolve)))

    it('is refused, and traffic goes on', async () => {
      await bench.apply(shop())
      await answers()
      const worker = await bench.worker(LB)
      const two = shop({}, { listeners: [aListener(1, { port: PORT }), aListener(2, { port: PORT + 1 })] })
      expect(await refused(two)).toContain('EADDRINUSE')
      expect((await ask()).status).toBe(200)
      expect(await bench.worker(LB)).toBe(worker)
    })
  })

  it.each(['worker', 'master'] as const)('is back after kill -9 of its %s', async (which) => {
    await bench.apply(shop())
    await answers()
    await bench.observe(shop())
    const [master, victim] = [await bench.master(LB), await bench[which](LB)]
    process.kill(victim, 'SIGKILL')
    await eventually(async () => {
      await bench.observe(shop())
      expect(await bench.master(LB)).not.toBe(master)
    })
    await answers()
    await eventually(async () => expect((await bench.observe(shop())).status).toBe('ONLINE'))
    expect((await bench.rest(LB)).processes).toHaveLength(2)
  })

  it('is adopted by another agent as it is, and loaded anew where nobody knows what it has', async () => {
    await bench.apply(shop())
    const worker = await bench.worker(LB)
    bench.driver = bench.anotherDriver()
    expect(await bench.driver.list()).toEqual([LB])
    await bench.apply(shop())
    expect(await bench.worker(LB)).toBe(worker)
    // as after a crash between what the file says and what the process has
    execFileSync('rm', [join(bench.directory(LB), 'in-force')])
    await bench.apply(shop())
    expect(await bench.worker(LB)).not.toBe(worker)
  })

  it('is started again from its files by who finds it gone, also with half a candidate beside them', async () => {
    await bench.apply(shop())
    process.kill(await bench.master(LB), 'SIGKILL')
    writeFileSync(join(bench.directory(LB), 'haproxy.cfg.candidate'), 'half')
    bench.driver = bench.anotherDriver()
    await bench.apply(shop())
    await answers()
    expect(existsSync(join(bench.directory(LB), 'haproxy.cfg.candidate'))).toBe(false)
  })

  it.each([
    ['ends when its client ends it, and the member goes then', 600_000],
    ['ends when its time is over, and the member goes', 3_000],
  ])('a connection to a member that has left %s', async (_, leavingMs) => {
    await bench.end()
    bench = new HaproxyBench(undefined, leavingMs)
    const member = createServer((socket) => socket.on('error', () => undefined).pipe(socket))
    await new Promise<void>((resolve) => member.listen(0, '127.0.95.11', resolve))
    whenTestEnds(async () => void member.close())
    const { port } = member.address() as AddressInfo
    const there = aMember(2, { address: '127.0.95.11', port })
    const of = (members: ReturnType<typeof aMember>[]) =>
      shop({ protocol: 'TCP' }, { pools: [aPool(1, { protocol: 'TCP', monitor: null, members })] })
    const staying = aMember(1, { address: web.address, port: web.port, weight: 0 })
    await bench.apply(of([staying, there]))
    const client = connectTcp({ host: VIP, port: PORT })
    whenTestEnds(async () => void client.destroy())
    let heard = ''
    let ended = false
    client.on('data', (chunk) => {
      heard += String(chunk)
    })
    client
      .on('error', () => undefined)
      .on('close', () => {
        ended = true
      })
    client.write('before\n')
    await eventually(() => expect(heard).toBe('before\n'))
    const worker = await bench.worker(LB)
    await bench.apply(of([staying]))
    await bench.observe(of([staying]))
    client.write('after\n')
    await eventually(() => expect(heard).toBe('before\nafter\n'))
    expect(await bench.servers(LB)).toHaveLength(2)
    if (leavingMs > 60_000) client.destroy()
    await eventually(async () => {
      await bench.observe(of([staying]))
      expect(ended).toBe(true)
      expect(await bench.servers(LB)).toHaveLength(1)
    })
    expect(await bench.worker(LB)).toBe(worker)
  })

  it('checks without a change', async () => {
    expect(await bench.driver.check(bench.wanted(shop()))).toMatchObject({ accepted: true, words: '', current: null })
    expect(await bench.driver.list()).toEqual([])
    expect(readdirSync(join(bench.stateDir, 'haproxy'))).toEqual([])
  })

  it('has no port open while it, or all that listens, is off, and goes on looking at members', async () => {
    const off = shop({}, { adminStateUp: false })
    await bench.apply(off)
    await expect(ask()).rejects.toThrow()
    await eventually(async () => {
      const { status, detail } = await bench.observe(off)
      expect([status, detail.statuses[idOf('c', 1)], detail.statuses[idOf('e', 1)]]).toEqual([
        'OFFLINE',
        'OFFLINE',
        'ONLINE',
      ])
    })
    await bench.apply(shop({}, { listeners: [] }))
    await expect(ask()).rejects.toThrow()
    await bench.apply(shop())
    await answers()
    await bench.apply(shop({ adminStateUp: false }))
    await eventually(() => expect(ask()).rejects.toThrow())
  })

  it('has figures for Prometheus where it is asked for them', async () => {
    await bench.apply(shop({ protocol: 'PROMETHEUS', defaultPoolId: null }))
    expect((await ask('/metrics')).body).toContain('haproxy_process_uptime_seconds')
    expect((await ask('/other')).status).toBe(404)
  })

  it('leaves nothing when it is removed, and is not there to be removed again', async () => {
    await bench.apply(shop())
    await bench.driver.remove(LB, new AbortController().signal)
    expect(await bench.rest(LB)).toEqual({ processes: [], isOnDisk: false })
    await expect(ask()).rejects.toThrow()
    await bench.driver.remove(LB, new AbortController().signal)
    expect(await bench.driver.list()).toEqual([])
  })

  describe('in a namespace of its own', () => {
    const name = `kl-test-${process.pid}`
    const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' })
    const inside = (...command: string[]) =>
      execFileSync('ip', ['netns', 'exec', name, ...command], { encoding: 'utf8' })
    const makeNamespace = () => {
      ip('netns', 'add', name)
      inside('ip', 'link', 'set', 'lo', 'up')
      inside('sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind')
    }
    const away = (connectionLimit: number) =>
      shop(
        { connectionLimit },
        {
          vip: { ...aBalancer().vip, address: '192.0.2.10' },
          pools: [],
          listeners: [aListener(1, { port: 80, defaultPoolId: null, connectionLimit })],
        },
      )
    beforeEach(async () => {
      makeNamespace()
      await bench.end()
      bench = new HaproxyBench({ namespace: name, enter: ['ip', 'netns', 'exec', name] })
    })
    afterEach(async () => {
      await bench.driver.remove(LB, AbortSignal.abort())
      ip('netns', 'delete', name)
    })

    it('serves there, also while its address is away, and begins anew in one that was made anew', async () => {
      await bench.apply(away(10))
      inside('ip', 'address', 'add', '192.0.2.10/32', 'dev', 'lo')
      const status = () => inside('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', 'http://192.0.2.10/').trim()
      expect(status()).toBe('503')
      const [master, worker] = [await bench.master(LB), await bench.worker(LB)]
      inside('ip', 'address', 'del', '192.0.2.10/32', 'dev', 'lo')
      await bench.apply(away(11))
      expect(await bench.worker(LB)).not.toBe(worker)
      inside('ip', 'address', 'add', '192.0.2.10/32', 'dev', 'lo')
      expect(status()).toBe('503')
      ip('netns', 'delete', name)
      makeNamespace()
      await bench.apply(away(11))
      expect(await bench.master(LB)).not.toBe(master)
    })
  })
})
