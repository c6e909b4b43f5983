import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { hostileBalancer, hostileTexts } from '../agent/support/nginx-hostile.js'
import { aBalancer, aListener, aMember, aMonitor, aPool, id } from '../agent/support/nginx-intents.js'
import { eventually } from '../support/eventually.js'
import { TestProcess } from '../support/process.js'
import { describeWith } from './support/needs.js'
import { GivenPlaces, TriedNginx } from './support/tried-nginx.js'

const member = `
const { createServer } = require('node:http')
const server = createServer((asked, answer) => answer.end('inside'))
// of both families
server.listen(0, '::', () => console.log('port ' + server.address().port))
`

const checkers = (stateDir: string) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0')
        return words.some((word) => word.endsWith('checker-main.js')) && words.some((word) => word.startsWith(stateDir))
      } catch {
        return false
      }
    })
    .map(Number)

describeWith(['nginx', 'ip', 'curl'], 'a load balancer of nginx in a network namespace', () => {
  const namespace = `kl-test-${process.pid}-${randomInt(10_000)}`
  const enter = ['ip', 'netns', 'exec', namespace]
  let tried: TriedNginx
  let server: TestProcess
  let port: number

  beforeAll(async () => {
    execFileSync('ip', ['netns', 'add', namespace])
    execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
    server = new TestProcess([...enter, process.execPath, '-e', member])
    port = Number((await server.line(/^port /)).slice('port '.length))
  })
  beforeEach(() => {
    tried = new TriedNginx(new GivenPlaces({ namespace, enter }))
  })
  afterEach(async () => {
    await tried.stop()
    expect(tried.processes()).toEqual([])
    await eventually(() => expect(checkers(tried.stateDir)).toEqual([]))
  })
  afterAll(async () => {
    await server?.kill()
    execFileSync('ip', ['netns', 'delete', namespace])
  })

  const balancer = () =>
    aBalancer([aListener(1, 8080)], [aPool(1, [aMember(1, port)], { monitor: aMonitor({ urlPath: '/' }) })])
  const fetched = (url = 'http://127.0.48.1:8080/') =>
    execFileSync(enter[0]!, [...enter.slice(1), 'curl', '-s', '-m', '10', '-g', url], {
      encoding: 'utf8',
    })

  it('serves and checks from in there, and nowhere else', async () => {
    await tried.apply(balancer())
    await tried.seen(balancer(), { [id('e', 1)]: 'ONLINE' })
    await eventually(() => expect(fetched()).toBe('inside'))
    expect(() => execFileSync('curl', ['-s', '-m', '10', 'http://127.0.48.1:8080/'])).toThrow()
  })

  it('serves an address of IPv6, to whom it is for, and by members of IPv6', async () => {
    const vip = { ...balancer().vip, address: '::1' }
    const monitor = aMonitor({ type: 'TCP' })
    const pool = aPool(1, [aMember(1, port, { address: '::1' })], { monitor })
    const open = aListener(1, 8080, { allowedCidrs: ['::1/128'] })
    const closed = aListener(2, 8081, { allowedCidrs: ['2001:db8::/32'] })
    await tried.apply(aBalancer([open, closed], [pool], { vip }))
    await eventually(() => expect(fetched('http://[::1]:8080/')).toBe('inside'))
    expect(() => fetched('http://[::1]:8081/')).toThrow()
  })

  it('has another checker when the first one has ended, and takes nobody for down meanwhile', async () => {
    await tried.apply(balancer())
    await tried.seen(balancer(), { [id('e', 1)]: 'ONLINE' })
    const [first, ...others] = checkers(tried.stateDir)
    expect(others).toEqual([])
    process.kill(first!, 'SIGKILL')
    await eventually(async () => {
      expect((await tried.observe(balancer()))?.detail.statuses[id('e', 1)]).toBe('ONLINE')
      expect(checkers(tried.stateDir)).toHaveLength(1)
      expect(checkers(tried.stateDir)).not.toEqual([first])
    })
    await tried.apply({ ...balancer(), pools: [aPool(1, [aMember(1, port)])] })
    await eventually(() => expect(checkers(tried.stateDir)).toEqual([]))
  })

  it('is brought back in there without its VIP being brought up', async () => {
    await tried.apply(balancer())
    const { length } = tried.places.ensured
    process.kill(tried.master(), 'SIGKILL')
    await eventually(async () => expect((await tried.observe(balancer()))?.detail.statuses[id('a', 1)]).toBe('ONLINE'))
    await eventually(() => expect(fetched()).toBe('inside'))
    expect(tried.places.ensured).toHaveLength(length)
  })
})

describeWith(['nginx'], 'a text of a user, read by nginx', () => {
  it.each(hostileTexts)('is a text or refused as a regular expression: %j', async (text) => {
    const tried = new TriedNginx()
    try {
      const verdict = await tried.driver.check(tried.wanted(hostileBalancer(text)))
      expect(verdict.words.replace(/.*pcre2?_compile\(\) failed[\s\S]*/, '')).toBe('')
    } finally {
      await tried.stop()
    }
  })

  it('has no effect on what is checked: a text that is harmless is taken', async () => {
    const tried = new TriedNginx()
    try {
      expect(await tried.driver.check(tried.wanted(hostileBalancer('plain')))).toMatchObject({ accepted: true })
    } finally {
      await tried.stop()
    }
  })
})
