import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { run } from '../../src/agent/host/run.js'
import { aBalancer, aListener, aMember, aMonitor, aPolicy, aPool, aRule, id } from '../agent/support/nginx-intents.js'
import { selfSigned } from '../support/certificate.js'
import { eventually } from '../support/eventually.js'
import { describeWith } from './support/needs.js'
import { ask, askDatagram, Backend, firstLine, shownCertificate, startEcho } from './support/traffic.js'
import { TriedNginx } from './support/tried-nginx.js'

const VIP = '127.0.48.1'
const programs = ['nginx', 'openssl']

describeWith(programs, 'a load balancer of nginx on this machine', () => {
  let tried: TriedNginx
  let one: Backend
  let two: Backend
  let tcp: Backend

  beforeEach(async () => {
    tried = new TriedNginx()
    one = await Backend.start('one')
    two = await Backend.start('two')
    tcp = await Backend.start('tcp', 'tcp')
  })
  afterEach(async () => {
    await tried.stop()
    expect(tried.processes()).toEqual([])
    for (const backend of [one, two, tcp]) await backend.stop()
  })

  const members = () => [aMember(1, one.port), aMember(2, two.port)]
  const checked = aMonitor({ urlPath: '/health' })
  const web = (port = 8080) => ({ host: VIP, port })
  const simple = () => aBalancer([aListener(1, 8080)], [aPool(1, members())])

  async function answersOf(count: number, port = 8080): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (let at = 0; at < count; at++) {
      const { body } = await ask(web(port))
      counts[body] = (counts[body] ?? 0) + 1
    }
    return counts
  }

  it('is what this host can carry', async () => {
    expect(await tried.driver.obstacle()).toBeNull()
  })

  it('carries HTTP, adds the headers that are asked for, and leaves the rest of a request and an answer alone', async () => {
    const insertHeaders = { 'X-Forwarded-For': true, 'X-Forwarded-Port': true, 'X-Forwarded-Proto': true }
    await tried.apply(aBalancer([aListener(1, 8080, { insertHeaders })], [aPool(1, [aMember(1, one.port)])]))
    const answer = await ask({
      ...web(),
      path: '//a/../b%2F?c=$d',
      headers: { host: 'Some.Example:81', 'x-forwarded-for': '9.9.9.9' },
    })
    expect(answer).toMatchObject({ status: 200, body: 'one', headers: { server: 'server of one' } })
    expect(one.requests[0]?.url).toBe('//a/../b%2F?c=$d')
    expect(one.requests[0]?.headers).toMatchObject({
      host: 'Some.Example:81',
      'x-forwarded-for': '9.9.9.9, 127.0.0.1',
      'x-forwarded-port': '8080',
      'x-forwarded-proto': 'http',
    })
  })

  it('shares requests by weight', async () => {
    await tried.apply(
      aBalancer([aListener(1, 8080)], [aPool(1, [aMember(1, one.port, { weight: 3 }), aMember(2, two.port)])]),
    )
    const counts = await answersOf(400)
    expect(Math.abs(counts.one! / 400 - 0.75)).toBeLessThan(0.05)
  })

  it('brings the requests of one address to one member, and goes on to another when that one has gone', async () => {
    const pool = aPool(1, members(), { persistence: { type: 'SOURCE_IP', cookieName: null } })
    const balancer = aBalancer([aListener(1, 8080)], [pool])
    await tried.apply(balancer)
    const first = Object.keys(await answersOf(20))
    expect(first).toHaveLength(1)
    const froms = Array.from({ length: 40 }, (_, at) => `127.0.0.${at + 2}`)
    const bodies = new Set<string>()
    for (const from of froms) bodies.add((await ask({ ...web(), from })).body)
    expect(bodies).toEqual(new Set(['one', 'two']))
    const gone = first[0] === 'one' ? 1 : 2
    pool.members = members().map((member) => (member.id === id('e', gone) ? { ...member, draining: true } : member))
    await tried.apply(balancer)
    expect(Object.keys(await answersOf(20))).toEqual([first[0] === 'one' ? 'two' : 'one'])
  })

  it('spreads the connections of one address where its port counts too', async () => {
    await tried.apply(aBalancer([aListener(1, 8080)], [aPool(1, members(), { algorithm: 'SOURCE_IP_PORT' })]))
    expect(Object.keys(await answersOf(60)).sort()).toEqual(['one', 'two'])
  })

  it('carries TCP and UDP, and refuses a connection that nobody is there for', async () => {
    const echo = await startEcho('echo')
    try {
      const pools = [
        aPool(1, [aMember(1, tcp.port)], { protocol: 'TCP', algorithm: 'LEAST_CONNECTIONS' }),
        aPool(2, [aMember(2, echo.port)], { protocol: 'UDP' }),
      ]
      const listeners = [
        aListener(1, 8081, { protocol: 'TCP' }),
        aListener(2, 8082, { protocol: 'UDP', defaultPoolId: id('c', 2) }),
      ]
      const balancer = aBalancer(listeners, pools)
      await tried.apply(balancer)
      const { line, socket } = await firstLine(VIP, 8081)
      expect(line).toBe('tcp')
      const sighting = await tried.observe(balancer)
      expect(sighting?.detail.statistics[id('a', 1)]).toMatchObject({ activeConnections: 1 })
      socket.destroy()
      await eventually(async () => expect(await askDatagram(VIP, 8082, 'hello')).toBe('echo hello'))
      await tried.apply(aBalancer(listeners, [{ ...pools[0]!, members: [] }, pools[1]!]))
      await expect(firstLine(VIP, 8081)).rejects.toThrow('ECONNREFUSED')
    } finally {
      echo.stop()
    }
  })

  it('ends TLS with the certificate of the name that is asked for, and with the renewed one once there is one', async () => {
    const other = makeCertificate(tried.stateDir, 'other.example')
    const certificates = [
      { id: id('7', 1), chainPem: selfSigned.cert },
      { id: id('7', 2), chainPem: other.cert },
    ]
    const keys = { [id('7', 1)]: selfSigned.key, [id('7', 2)]: other.key }
    const listener = aListener(1, 8443, {
      protocol: 'TERMINATED_HTTPS',
      certificateIds: certificates.map((each) => each.id),
    })
    const balancer = aBalancer([listener], [aPool(1, members())], { certificates })
    await tried.apply(balancer, keys)
    const subjectOf = async (name?: string) => (await shownCertificate(VIP, 8443, name)).subject.CN
    expect(await subjectOf()).toBe('images.example')
    expect(await subjectOf('nobody.example')).toBe('images.example')
    expect(await subjectOf('other.example')).toBe('other.example')
    const before = (await shownCertificate(VIP, 8443, 'other.example')).fingerprint256
    const renewed = makeCertificate(tried.stateDir, 'other.example')
    certificates[1] = { id: id('7', 2), chainPem: renewed.cert }
    await tried.apply({ ...balancer, certificates }, { ...keys, [id('7', 2)]: renewed.key })
    expect((await shownCertificate(VIP, 8443, 'other.example')).fingerprint256).not.toBe(before)
    // neither key is anywhere but in its own file, and the old one in none
    const files = readdirSync(join(tried.stateDir, 'nginx', balancer.id, 'tls'))
    expect(files.filter((file) => file.endsWith('.key'))).toHaveLength(2)
    expect(readFileSync(join(tried.stateDir, 'nginx', balancer.id, 'record.json'), 'utf8')).not.toContain('PRIVATE')
  })

  it('passes on TLS that the members end', async () => {
    const pool = aPool(1, [aMember(1, tcp.port)], { protocol: 'HTTPS' })
    await tried.apply(aBalancer([aListener(1, 8444, { protocol: 'HTTPS' })], [pool]))
    const { line, socket } = await firstLine(VIP, 8444)
    socket.destroy()
    expect(line).toBe('tcp')
  })

  it('does with a request what the first policy says whose rules it meets', async () => {
    const policies = [
      aPolicy(1, [
        aRule(1, { value: '/two' }),
        aRule(2, { type: 'HEADER', key: 'X-Let', value: 'me', compareType: 'CONTAINS', invert: true }),
      ]),
      aPolicy(
        2,
        [
          aRule(3, { value: '/two' }),
          aRule(4, { type: 'COOKIE', key: 'my.kind', value: 'a b', compareType: 'EQUAL_TO' }),
        ],
        {
          action: 'REDIRECT_TO_POOL',
          redirectPoolId: id('c', 2),
        },
      ),
      aPolicy(3, [aRule(5, { type: 'FILE_TYPE', compareType: 'EQUAL_TO', value: '.png' })]),
      aPolicy(4, [aRule(6, { type: 'HOST_NAME', compareType: 'ENDS_WITH', value: '.Old.example' })], {
        action: 'REDIRECT_PREFIX',
        redirectPrefix: 'https://new.example/$x',
        redirectHttpCode: 308,
      }),
      aPolicy(5, [aRule(7, { value: '^/(a|b)$', compareType: 'REGEX' })], {
        action: 'REDIRECT_TO_URL',
        redirectUrl: 'https://x.example/$host"?a=b;c',
      }),
      aPolicy(6, [aRule(8, { value: 'empty', compareType: 'CONTAINS' })], {
        action: 'REDIRECT_TO_POOL',
        redirectPoolId: id('c', 3),
      }),
    ]
    const pools = [aPool(1, [aMember(1, one.port)]), aPool(2, [aMember(2, two.port)]), aPool(3, [])]
    await tried.apply(aBalancer([aListener(1, 8080, { policies })], pools))
    const at = async (path: string, headers = {}) => {
      const { status, body, headers: answered } = await ask({ ...web(), path, headers })
      return status === 200 ? body : `${status} ${answered.location ?? ''}`.trim()
    }
    expect(await at('/two')).toBe('403')
    const letIn = { 'x-let': 'let me in' }
    expect(await at('/two', letIn)).toBe('one')
    expect(await at('/two', { ...letIn, cookie: 'x=1; my.kind= a b ; y=2' })).toBe('two')
    expect(await at('/two', { ...letIn, cookie: 'not_my.kind=a b' })).toBe('one')
    expect(await at('/a.png?b.txt')).toBe('403')
    expect(await at('/a.txt?b.png')).toBe('one')
    expect(await at('/p?q=1', { host: 'WWW.old.EXAMPLE' })).toBe('308 https://new.example/$x/p?q=1')
    expect(await at('/b')).toBe('302 https://x.example/$host"?a=b;c')
    expect(await at('/bc')).toBe('one')
    expect(await at('/is/empty')).toBe('503')
  })

  it('lets in those that are allowed, and so many of them at once', async () => {
    const listeners = [
      aListener(1, 8080, { allowedCidrs: ['127.0.0.0/24', '127.1.0.0/16'] }),
      aListener(2, 8081, {
        protocol: 'TCP',
        defaultPoolId: id('c', 2),
        allowedCidrs: ['127.1.0.0/16'],
        connectionLimit: 1,
      }),
      aListener(3, 8083, { connectionLimit: 0 }),
    ]
    await tried.apply(
      aBalancer(listeners, [aPool(1, members()), aPool(2, [aMember(3, tcp.port)], { protocol: 'TCP' })]),
    )
    expect((await ask({ ...web(), from: '127.0.0.9' })).status).toBe(200)
    await expect(ask({ ...web(), from: '127.0.1.9' })).rejects.toThrow()
    await expect(firstLine(VIP, 8081, '127.0.0.9')).rejects.toThrow()
    const { line, socket } = await firstLine(VIP, 8081, '127.1.0.9')
    expect(line).toBe('tcp')
    await expect(firstLine(VIP, 8081, '127.1.0.9')).rejects.toThrow()
    socket.destroy()
    await eventually(async () => (await firstLine(VIP, 8081, '127.1.0.9')).socket.destroy())
    expect((await ask(web(8083))).status).toBe(503)
  })

  it('takes so many requests at once over HTTP, and waits for a member as long as it is told to', async () => {
    one.health = 'silent'
    const timeouts = { clientDataMs: 50_000, memberConnectMs: 5000, memberDataMs: 200, tcpInspectMs: 0 }
    const listeners = [aListener(1, 8080, { connectionLimit: 1 }), aListener(2, 8081, { timeouts })]
    await tried.apply(aBalancer(listeners, [aPool(1, [aMember(1, one.port)])]))
    expect((await ask({ ...web(8081), path: '/health' })).status).toBe(504)
    const { checks } = one
    const held = ask({ ...web(), path: '/health' })
    await eventually(() => expect(one.checks).toBe(checks + 1))
    expect((await ask(web())).status).toBe(503)
    await one.stop()
    expect((await held).status).toBe(502)
  })

  it('uses a member after its first good check, leaves it out when it is down, and shows both', async () => {
    two.health = 500
    const balancer = aBalancer([aListener(1, 8080)], [aPool(1, members(), { monitor: checked })])
    await tried.apply(balancer)
    const shown = await tried.seen(balancer, {
      [id('e', 1)]: 'ONLINE',
      [id('e', 2)]: 'ERROR',
      [id('c', 1)]: 'DEGRADED',
    })
    expect(shown).toMatchObject({ status: 'DEGRADED', fault: { message: `member ${id('e', 2)}: the answer was 500` } })
    await eventually(async () => expect(await answersOf(10)).toEqual({ one: 10 }))
    two.health = 200
    await eventually(async () => expect(Object.keys(await answersOf(10)).sort()).toEqual(['one', 'two']))
    await one.stop()
    await tried.seen(balancer, { [id('e', 1)]: 'ERROR', [id('e', 2)]: 'ONLINE' })
    expect(await answersOf(10)).toEqual({ two: 10 })
    await two.stop()
    await tried.seen(balancer, { [id('c', 1)]: 'ERROR', [balancer.id]: 'ERROR' })
    await eventually(async () => expect((await ask(web())).status).toBe(503))
    await one.listen()
    await eventually(async () => expect(await answersOf(10)).toEqual({ one: 10 }))
    await tried.seen(balancer, { [id('e', 1)]: 'ONLINE', [balancer.id]: 'DEGRADED' })
  })

  it('gives what is drained no more, without ending what it has, and a backup only what nobody else takes', async () => {
    const other = await Backend.start('other', 'tcp')
    try {
      const pool = aPool(1, [aMember(1, tcp.port), aMember(2, other.port, { backup: true })], { protocol: 'TCP' })
      const balancer = aBalancer([aListener(1, 8081, { protocol: 'TCP' })], [pool])
      await tried.apply(balancer)
      const { line, socket } = await firstLine(VIP, 8081)
      expect(line).toBe('tcp')
      let ended = false
      socket.once('close', () => {
        ended = true
      })
      pool.members[0] = { ...pool.members[0]!, draining: true }
      await tried.apply(balancer)
      const later = await firstLine(VIP, 8081)
      expect(later.line).toBe('other')
      later.socket.destroy()
      await tried.seen(balancer, { [id('e', 1)]: 'DRAINING', [id('e', 2)]: 'NO_MONITOR', [id('c', 1)]: 'ONLINE' })
      expect(ended).toBe(false)
      socket.destroy()
    } finally {
      await other.stop()
    }
  })

  it('says why it does not take a configuration, and goes on with the one it has', async () => {
    const before = simple()
    await tried.apply(before)
    const workers = await tried.settledWorkers()
    const rules = [aRule(1, { compareType: 'REGEX', value: '(unclosed' })]
    const wrong = aBalancer([aListener(1, 8080, { policies: [aPolicy(1, rules)] })], before.pools)
    await expect(tried.apply(wrong)).rejects.toThrow('pcre2_compile() failed')
    expect(tried.workers()).toEqual(workers)
    // what a test of the text cannot find out: somebody has the port
    const file = join(tried.stateDir, 'nginx', before.id, 'nginx.conf')
    const text = readFileSync(file, 'utf8')
    const taken = createServer().listen(8085, VIP)
    await once(taken, 'listening')
    try {
      await expect(tried.apply(aBalancer([aListener(1, 8080), aListener(2, 8085)], []))).rejects.toThrow(
        'Address already in use',
      )
      expect(readFileSync(file, 'utf8')).toBe(text)
      expect((await ask(web())).status).toBe(200)
      expect((await tried.observe(before))?.status).toBe('ONLINE')
      expect((await ask(web())).status).toBe(200)
    } finally {
      taken.close()
    }
    await tried.apply(aBalancer([aListener(1, 8080), aListener(2, 8085)], before.pools))
    expect((await ask(web(8085))).status).toBe(200)
  })

  it('refuses at once what would be refused when its members come up', async () => {
    const pool = aPool(1, [aMember(1, 80, { address: 'fe80::1%eth0' })], { protocol: 'TCP', monitor: checked })
    const balancer = aBalancer([aListener(1, 8081, { protocol: 'TCP' })], [pool])
    await expect(tried.apply(balancer)).rejects.toThrow('[emerg]')
    expect(await tried.driver.check(tried.wanted(balancer))).toMatchObject({ accepted: false })
  })

  it('leaves nothing of a balancer that it never had', async () => {
    const taken = createServer().listen(8085, VIP)
    await once(taken, 'listening')
    try {
      await expect(tried.apply(aBalancer([aListener(1, 8085)], []))).rejects.toThrow('Address already in use')
      expect(await tried.driver.list()).toEqual([])
      expect(tried.places.removed).toEqual([id('9', 1)])
    } finally {
      taken.close()
    }
  })

  it('says what it would be, and changes nothing', async () => {
    const before = simple()
    await tried.apply(before)
    const workers = await tried.settledWorkers()
    const rules = [aRule(1, { compareType: 'REGEX', value: '(unclosed' })]
    const wrong = aBalancer([aListener(1, 8080, { policies: [aPolicy(1, rules)] })], before.pools)
    const refused = await tried.driver.check(tried.wanted(wrong))
    expect(refused).toMatchObject({ accepted: false, words: expect.stringContaining('pcre2_compile() failed') })
    const taken = await tried.driver.check(tried.wanted(aBalancer([aListener(1, 8086)], before.pools)))
    expect(taken).toMatchObject({ accepted: true, words: '', planned: expect.stringContaining(`listen ${VIP}:8086 `) })
    expect(taken.current).toContain(`listen ${VIP}:8080 `)
    expect(tried.workers()).toEqual(workers)
    await expect(ask(web(8086))).rejects.toThrow('ECONNREFUSED')
  })

  it('is there again after its master, or all of it, was killed', async () => {
    const balancer = simple()
    await tried.apply(balancer)
    for (const victims of [() => [tried.master()], () => tried.processes().map(({ pid }) => pid)]) {
      const pids = victims()
      for (const pid of pids) process.kill(pid, 'SIGKILL')
      await eventually(() => expect(tried.processes().filter(({ pid }) => pids.includes(pid))).toEqual([]))
      expect(await tried.observe(balancer)).toMatchObject({ status: 'ONLINE', fault: null })
      expect((await ask(web())).status).toBe(200)
      await tried.settledWorkers()
    }
  })

  it.each([
    { at: 'the first judgement', call: 1, ran: false, applied: false },
    { at: 'the first start', call: 2, ran: false, applied: false },
    { at: 'the end of the first start', call: 2, ran: true, applied: false },
    { at: 'the judgement of a change', call: 1, ran: true, applied: true },
  ])('ends alike when the agent died at $at', async ({ call, ran, applied }) => {
    if (applied) await tried.apply(simple())
    await tried.driver.close()
    let calls = 0
    const reached = new Promise<void>((resolve) => {
      // it dies there: nothing comes after
      tried.driver = tried.makeDriver(async (...asked) => {
        calls += 1
        if (calls < call) return run(...asked)
        if (ran) await run(...asked)
        resolve()
        return new Promise(() => undefined)
      })
    })
    const wanted = aBalancer([aListener(1, 8086)], [aPool(1, members())])
    void tried.apply(wanted)
    await reached
    tried.driver = tried.makeDriver()
    if (applied) expect(await tried.observe(wanted)).toMatchObject({ status: 'ONLINE' })
    await tried.apply(wanted)
    expect((await ask(web(8086))).status).toBe(200)
    await expect(ask(web(8080))).rejects.toThrow('ECONNREFUSED')
    expect(await tried.settledWorkers()).toHaveLength(2)
    expect(readdirSync(join(tried.stateDir, 'nginx', wanted.id))).not.toContain('candidate.conf')
  })

  it('is what it was said to be, also when its file was changed, or the agent died before the reload', async () => {
    const balancer = simple()
    await tried.apply(balancer)
    const file = join(tried.stateDir, 'nginx', balancer.id, 'nginx.conf')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace('8080', '8086'))
    await tried.driver.close()
    tried.driver = tried.makeDriver()
    expect(await tried.observe(balancer)).toMatchObject({ status: 'ONLINE', fault: null })
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect((await ask(web())).status).toBe(200)
    await expect(ask(web(8086))).rejects.toThrow('ECONNREFUSED')
  })

  it('is taken over by the next agent as it runs, with what was known of its members', async () => {
    two.health = 500
    // long enough that nothing is found out while this looks
    const monitor = { ...checked, timeout: 60 }
    const balancer = aBalancer([aListener(1, 8080)], [aPool(1, members(), { monitor })])
    await tried.apply(balancer)
    await tried.seen(balancer, { [id('e', 1)]: 'ONLINE', [id('e', 2)]: 'ERROR' })
    await eventually(async () => expect((await ask(web())).status).toBe(200))
    await tried.settledWorkers()
    await tried.driver.close()
    const before = tried.processes()
    one.health = 'silent'
    tried.driver = tried.makeDriver()
    expect(await tried.driver.list()).toEqual([balancer.id])
    expect((await tried.observe(balancer))?.detail.statuses).toMatchObject({ [id('e', 1)]: 'ONLINE' })
    await tried.apply(balancer)
    expect(tried.processes()).toEqual(before)
    two.health = 200
    await tried.seen(balancer, { [id('e', 1)]: 'ONLINE', [id('e', 2)]: 'ONLINE' })
  })

  it('ends and takes its files with it, whatever goes on', async () => {
    const balancer = aBalancer(
      [aListener(1, 8081, { protocol: 'TCP' })],
      [aPool(1, [aMember(1, tcp.port)], { protocol: 'TCP' })],
    )
    await tried.apply(balancer)
    const { socket } = await firstLine(VIP, 8081)
    process.kill(tried.master(), 'SIGKILL')
    await tried.driver.remove(balancer.id, AbortSignal.timeout(20_000))
    expect(tried.processes()).toEqual([])
    expect(readdirSync(join(tried.stateDir, 'nginx'))).toEqual([])
    expect(await tried.observe(balancer)).toBeNull()
    await tried.driver.remove(balancer.id, AbortSignal.timeout(20_000))
    socket.destroy()
  })
})

/** Signed by itself, for that name. */
function makeCertificate(directory: string, name: string): { cert: string; key: string } {
  const pair = execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name}`,
      '-keyout',
      '-',
      '-out',
      '-',
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8', cwd: directory },
  )
  const part = (label: string) =>
    new RegExp(`-----BEGIN ${label}-----[\\s\\S]*?-----END ${label}-----\n`).exec(pair)![0]
  return { cert: part('CERTIFICATE'), key: part('PRIVATE KEY') }
}
