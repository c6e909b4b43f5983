import { memberChanges } from '../../src/agent/balancing/drivers/haproxy/member-changes.js'
import { refuseTakenPorts } from '../../src/agent/balancing/drivers/haproxy/ports.js'
import { renderHaproxy } from '../../src/agent/balancing/drivers/haproxy/render.js'
import {
  parseServerStates,
  RUNNING,
  renderServerStates,
  type ServerState,
  STOPPED,
} from '../../src/agent/balancing/drivers/haproxy/server-states.js'
import { parseStat } from '../../src/agent/balancing/drivers/haproxy/stat.js'
import { carriedOver } from '../../src/agent/balancing/drivers/haproxy/stickiness.js'
import { countedOn, noTotals, statisticsOf } from '../../src/agent/balancing/drivers/haproxy/totals.js'
import { parseWorkers } from '../../src/agent/balancing/drivers/haproxy/worker.js'
import type { MemberIntent, PoolIntent } from '../../src/wire/balancing/intent.js'
import { aBalancer, aListener, aMember, aMonitor, aPool, idOf } from './support/balancer-intent.js'

const host = { maxConnections: 1_000, account: null }
const config = (members: readonly MemberIntent[], pool: Partial<PoolIntent> = {}, listener = {}) =>
  renderHaproxy(
    aBalancer({
      listeners: [aListener(1, listener)],
      pools: [aPool(1, { monitor: aMonitor({ maxRetries: 2, maxRetriesDown: 3 }), members: [...members], ...pool })],
    }),
    new Map(),
    host,
  )
const at = `${idOf('d', 1)}:${idOf('c', 1)}/${idOf('e', 1)}`
const changes = (before: string, after: string) => memberChanges(before, after)?.map(({ line }) => line)

describe('a change of members', () => {
  const one = config([aMember(1)])

  it('is nothing where nothing differs', () => {
    expect(changes(one, one)).toEqual([])
  })

  it('is a weight where only that differs, and draining is one', () => {
    expect(changes(one, config([aMember(1, { weight: 7 })]))).toEqual([`set server ${at} weight 7`])
    expect(changes(one, config([aMember(1, { draining: true })]))).toEqual([`set server ${at} weight 0`])
  })

  it('brings a new one, one that was off and one that has moved up only by a good check', () => {
    const bringUp = [
      `set server ${at} state drain`,
      `set server ${at} health stopping`,
      `enable health ${at}`,
      `set server ${at} state ready`,
    ]
    const server = 'ipv4@127.0.1.2:8001 weight 1 check inter 1s rise 2 fall 3'
    expect(changes(config([]), one)).toEqual([`add server ${at} ${server}`, ...bringUp])
    expect(changes(config([aMember(1, { adminStateUp: false })]), one)).toEqual(bringUp)
    expect(changes(one, config([aMember(1, { address: '2001:db8::9' })]))).toEqual([
      `set server ${at} state maint`,
      `set server ${at} addr 2001:db8::9 port 8001`,
      ...bringUp,
    ])
  })

  it('has no check to wait for where members are not looked at', () => {
    const unwatched = (members: MemberIntent[]) => config(members, { monitor: null })
    expect(changes(unwatched([]), unwatched([aMember(1)]))).toEqual([
      `add server ${at} ipv4@127.0.1.2:8001 weight 1`,
      `set server ${at} state ready`,
    ])
  })

  it('takes one away, or switches it off', () => {
    expect(changes(one, config([]))).toEqual([`set server ${at} state maint`, `del server ${at}`])
    expect(changes(one, config([aMember(1, { adminStateUp: false })]))).toEqual([`set server ${at} state maint`])
  })

  it('is a reload where anything else differs', () => {
    expect(changes(one, config([aMember(1)], {}, { connectionLimit: 5 }))).toBeUndefined()
    expect(changes(one, config([aMember(1, { backup: true })]))).toBeUndefined()
    expect(changes(one, config([aMember(1)], { algorithm: 'SOURCE_IP' }))).toBeUndefined()
  })
})

describe('a port that cannot be had', () => {
  const here = { namespace: null, enter: [] }
  it.each(['192.0.2.77', '2001:db8::77'])('is told by its address, of either family: %s', async (address) => {
    const text = renderHaproxy(
      aBalancer({ vip: { ...aBalancer().vip, address }, listeners: [aListener(1, { port: 8377 })] }),
      new Map(),
      host,
    )
    await expect(refuseTakenPorts(here, '', text)).rejects.toThrow(`cannot listen on ${address} port 8377: E`)
    await refuseTakenPorts(here, text, text)
    await refuseTakenPorts({ namespace: 'kl-x', enter: [] }, '', text)
  })
})

describe('the states with which a worker starts', () => {
  const states = (known: ReadonlyMap<string, ServerState>, text = config([aMember(1)])) =>
    renderServerStates(text, known)
      .split('\n')
      .slice(2, -1)
      .map((line) => line.split(' ').slice(0, 13).join(' '))
  const seen = (state: ServerState['state'], port = 8001) => new Map([[at, { address: '127.0.1.2', port, state }]])
  const [backend, name] = at.split('/')
  const line = (state: number, health: number) => `0 ${backend} 0 ${name} 127.0.1.2 ${state} 0 1 1 0 1 0 ${health}`

  it('are those of the former one, and unproven for who was not there, or elsewhere', () => {
    expect(states(seen(RUNNING))).toEqual([line(2, 4)])
    expect(states(seen(STOPPED))).toEqual([line(0, 0)])
    expect(states(new Map())).toEqual([line(3, 2)])
    expect(states(seen(RUNNING, 99))).toEqual([line(3, 2)])
  })

  it('are those of the pool, whichever listener leads to it', () => {
    const elsewhere = new Map([...seen(RUNNING)].map(([key, state]) => [key.replace(/:[^/]*/, ':other'), state]))
    expect(states(elsewhere)).toEqual([line(2, 4)])
  })

  it('say nothing of members that are off, or that nobody looks at', () => {
    expect(states(seen(RUNNING), config([aMember(1, { adminStateUp: false })]))).toEqual([])
    expect(states(seen(RUNNING), config([aMember(1)], { monitor: null }))).toEqual([])
  })

  it('are read as HAProxy writes them, without what is in maintenance', () => {
    const row = (server: string, state: number, admin: number) =>
      `3 pool 1 ${server} 127.0.1.2 ${state} ${admin} 1 1 4 15 3 5 6 0 0 0 - 8001 - 0 0 - - 0`
    const text = ['1', '# be_id be_name', row('a', 2, 0), row('b', 0, 0), row('c', 2, 1), row('d', 1, 8), ''].join('\n')
    expect([...parseServerStates(text)].map(([key, { state }]) => [key, state])).toEqual([
      ['pool/a', 2],
      ['pool/b', 0],
      ['pool/d', 2],
    ])
  })
})

describe('what HAProxy says', () => {
  it('is read by the names of columns, with commas and quotes in words', () => {
    const text = '# pxname,svname,last_chk,status,\nf,FRONTEND,,OPEN,\nb,s,"a ""b"", c",DOWN 1/2,\n\n'
    expect(parseStat(text)).toMatchObject([
      { pxname: 'f', svname: 'FRONTEND', last_chk: '', status: 'OPEN' },
      { pxname: 'b', svname: 's', last_chk: 'a "b", c', status: 'DOWN 1/2' },
    ])
  })

  it('of its workers tells the newest, and none where the last one did not come up', () => {
    const head = '#<PID> <type> <reloads>\n'
    expect(
      parseWorkers(`${head}10   master  2 [failed: 0] 0d\n# workers\n12  worker  0  0d\n# old\n11 worker 1 0d\n`),
    ).toEqual({ reloads: 2, failed: 0, current: 12 })
    expect(parseWorkers(`${head}10   master  3 [failed: 1] 0d\n# workers\n12  worker  1  0d\n`)).toEqual({
      reloads: 3,
      failed: 1,
      current: null,
    })
    expect(parseWorkers('')).toBeNull()
  })

  it('is counted over all of its workers', () => {
    const rows = (stot: number) => [
      { pxname: 'l', svname: 'FRONTEND', scur: '1', stot: String(stot), bin: '10', bout: '20', ereq: '0' },
    ]
    const totals = [rows(5), rows(6)].reduce((sum, each) => countedOn(sum, 1, each), noTotals)
    expect(statisticsOf(countedOn(totals, 2, rows(1)), ['l', 'new'])).toEqual({
      l: { activeConnections: 1, totalConnections: 7, bytesIn: 20, bytesOut: 40, requestErrors: 0 },
      new: { activeConnections: 0, totalConnections: 0, bytesIn: 0, bytesOut: 0, requestErrors: 0 },
    })
  })

  it('of where clients stick is said to the next worker in its own numbers', () => {
    const states = (first: string, second: string) => `1\n# be_id\n3 pool 1 ${first} x\n3 pool 2 ${second} x\n`
    const tables =
      '# table: pool, type: ipv6, size:10240, used:2\n0x1: key=::ffff:10.0.0.1 use=0 exp=0 server_id=1 server_key=a\n0x2: key=a b use=0 exp=0 server_id=2 server_key=b\n'
    expect(carriedOver(tables, states('a', 'b'), states('b', 'a')).map(({ line }) => line)).toEqual([
      'set table pool key ::ffff:10.0.0.1 data.server_id 2',
    ])
  })
})
