import { execFile } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { silentLogger } from '../../src/agent/logger.js'
import { readAgentStatus } from '../../src/agent/status.js'
import type { KernelConnection } from '../../src/agent/storage/kernel.js'
import { storageVerbs } from '../../src/agent/storage/verbs.js'
import type { XmlRpcValue } from '../../src/agent/xmlrpc/value.js'
import { storageSubject } from '../../src/wire/commands.js'
import { MAX_OWN_THINGS } from '../../src/wire/own-things.js'
import { eventually } from '../support/eventually.js'
import { agentForTest, configFor, engineForTest } from './support/agent.js'
import { command } from './support/commands.js'
import { exportSeen } from './support/mount-table.js'
import { temporaryDirectory } from './support/temporary.js'
import { describeWithPython, verb, verbsSocket } from './support/xmlrpc.js'

const exported = exportSeen('0:77', '/mnt/export', 'nfs://server/export')

const refused: readonly (readonly [what: string, params: XmlRpcValue[]])[] = [
  ['no arguments', []],
  ['an id that is no text', ['local:///srv', 7]],
  ['an empty id', ['local:///srv', '']],
  ['an id with a slash', ['local:///srv', 'a/b']],
  ['an id of the list that is not its own', ['local:///srv', 'plane/a']],
  ['..', ['local:///srv', '..']],
  ['a control character in an id', ['local:///srv', 'a\tb']],
  ['an id of 256 characters', ['local:///srv', 'a'.repeat(256)]],
  ['no scheme', ['/srv', 'a']],
  ['an unknown scheme', ['floppy:///srv', 'a']],
  ['a URI that is too long', [`local:///${'a'.repeat(2048)}`, 'a']],
  ['an unknown option', ['local:///srv', 'a', { fast: 'yes' }]],
  ['an option that is no text', ['local:///srv', 'a', { ro: true }]],
  ['options that are no struct', ['local:///srv', 'a', 'ro']],
  ['an unknown credential', ['local:///srv', 'a', {}, { password: 'x' }]],
  ['a credential that is no text', ['local:///srv', 'a', {}, { password: 7 }]],
  ['too many arguments', ['local:///srv', 'a', {}, {}, 1]],
]

async function start(kernel: readonly KernelConnection[] = []) {
  const engine = await engineForTest()
  const config = await configFor(engine)
  const agent = await agentForTest(config, kernel)
  const directory = await temporaryDirectory()
  await eventually(() => expect(engine.session.ready).toBe(true))
  const { stateDir } = config
  return {
    engine,
    agent,
    config,
    directory,
    uri: `local://${directory}`,
    say: (method: string, ...params: Parameters<typeof verb>[2][]) => verb(stateDir, method, ...params),
    list: async () => (await verb(stateDir, 'getStorageServerList')).connections ?? {},
    told: () => engine.observations.filter(({ subject }) => !subject.startsWith('storage-connection/')),
  }
}

describe('manageStorageServer', () => {
  it('registers an id, which the host then keeps up and the list shows', async () => {
    const { say, list, uri, directory } = await start()
    expect(await say('manageStorageServer', uri, 'a')).toEqual({ status: { code: 0, message: 'Done' } })
    await eventually(async () => expect((await list()).a?.connected).toBe(true))
    expect(await list()).toEqual({
      a: {
        connectionInfo: { uri, target: uri, options: {} },
        connected: true,
        managed: true,
        origin: 'host',
        status: 'UP',
      },
    })
    await rm(directory, { recursive: true })
    await eventually(async () =>
      expect((await list()).a).toMatchObject({
        connected: false,
        status: 'DOWN',
        lastError: { code: 451, type: 'connect', message: expect.stringContaining(directory), at: expect.any(Date) },
      }),
    )
    await mkdir(directory)
    await eventually(async () => expect((await list()).a?.connected).toBe(true))
  })

  it('answers before anything is connected', async () => {
    const { say, list } = await start()
    expect(await say('manageStorageServer', 'local:///no/such/directory', 'a')).toMatchObject({ status: { code: 0 } })
    expect(await list()).toMatchObject({ a: { connected: false, managed: true } })
  })

  it('said again is a success, with other arguments 478', async () => {
    const { say, uri, list } = await start()
    await say('manageStorageServer', uri, 'a')
    expect(await say('manageStorageServer', `${uri}/./`, 'a', {})).toMatchObject({ status: { code: 0 } })
    const other = await say('manageStorageServer', 'local:///elsewhere', 'a')
    expect(other.status).toEqual({ code: 478, message: 'a is in use with other arguments', type: 'id-in-use' })
    expect((await list()).a?.connectionInfo).toMatchObject({ uri })
  })

  it.each(refused)('refuses %s with 453, and stores nothing', async (_, params) => {
    const { say, list } = await start()
    const { status } = await say('manageStorageServer', ...params)
    expect(status).toMatchObject({ code: 453, type: 'bad-arguments' })
    expect(await list()).toEqual({})
  })

  it('answered by none of many callers at once registers one of what they say', async () => {
    const { say, uri, list } = await start()
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, n) => say('manageStorageServer', n % 2 ? uri : 'local:///elsewhere', 'a')),
    )
    const codes = replies.map(({ status }) => status.code).sort((a, b) => a - b)
    expect(codes).toEqual([...Array(10).fill(0), ...Array(10).fill(478)])
    expect(Object.keys(await list())).toEqual(['a'])
  })
})

describe('unmanageStorageServer', () => {
  it('lets go of an id, once', async () => {
    const { say, uri, list } = await start()
    await say('manageStorageServer', uri, 'a')
    expect((await say('unmanageStorageServer', 'a')).status.code).toBe(0)
    expect(await list()).toEqual({})
    expect((await say('unmanageStorageServer', 'a')).status).toMatchObject({ code: 479, type: 'not-registered' })
  })

  it('does not touch an id of the plane that is called alike, nor the plane one of the host', async () => {
    const { engine, say, uri, list } = await start()
    await say('manageStorageServer', uri, 'c1')
    const manage = command({ payload: { connectionId: 'c1', uri: 'local:///', options: {} } })
    engine.command({ ...manage, payload: { connectionId: 'c1', uri, options: {} } })
    await eventually(async () => expect(Object.keys(await list()).sort()).toEqual(['c1', 'plane/c1']))
    expect((await say('unmanageStorageServer', 'c1')).status.code).toBe(0)
    expect(Object.keys(await list())).toEqual(['plane/c1'])
    expect((await say('unmanageStorageServer', 'c1')).status.code).toBe(479)
    expect((await say('unmanageStorageServer', 'plane/c1')).status.code).toBe(479)

    await say('manageStorageServer', uri, 'c1')
    engine.command(command({ kind: 'storage.unmanage', payload: { connectionId: 'c1' }, generation: 2 }))
    await eventually(async () => expect(Object.keys(await list())).toEqual(['c1']))
  })
})

describe('what a host has of itself', () => {
  it('is told to the plane as it comes, changes and goes', async () => {
    const { say, uri, told, directory } = await start()
    await say('manageStorageServer', uri, 'a')
    const subject = 'host-storage-connection/a'
    const detail = { uri, target: uri, options: {}, mountPoint: null }
    await eventually(() => expect(told().at(-1)).toMatchObject({ subject, status: 'UP', detail }))
    await rm(directory, { recursive: true })
    await eventually(() => expect(told().at(-1)).toMatchObject({ subject, status: 'DOWN', fault: { type: 'connect' } }))
    await say('unmanageStorageServer', 'a')
    await eventually(() => expect(told().at(-1)).toMatchObject({ subject, gone: true }))
  })

  it('is in the inventory of the next session, and outlives the agent', async () => {
    const { engine, agent, config, say, uri } = await start([exported])
    await say('manageStorageServer', uri, 'a')
    await agent.stop('stopping')
    await agentForTest(config, [exported])
    await eventually(() => expect(engine.sessions.filter(({ ready }) => ready)).toHaveLength(2))
    expect(engine.session.inventory).toMatchObject([
      { subject: 'host-storage-connection/a', origin: 'host', generation: 0, detail: { uri } },
      {
        subject: expect.stringMatching(/^sighted-storage-connection\/[0-9a-f]{16}$/),
        origin: 'host',
        status: 'UP',
        detail: { uri: 'nfs://server/export', mountPoint: '/mnt/export' },
      },
    ])
    expect(engine.session.inventory.map(({ subject }) => subject)).not.toContain(storageSubject('a'))
  })

  it('is kept for no plane that is away: what came and went meanwhile is not told', async () => {
    const { engine, say, uri, told, list } = await start()
    await say('manageStorageServer', uri, 'stays')
    await eventually(() => expect(told().at(-1)).toMatchObject({ status: 'UP' }))
    engine.refusal = { refused: true, code: 'unavailable', message: 'not now' }
    engine.dropConnections()
    await eventually(() => expect(engine.hellos.length).toBeGreaterThan(1))
    const before = told().length
    for (const id of ['x', 'y', 'z']) await say('manageStorageServer', uri, id)
    for (const id of ['x', 'y', 'stays']) await say('unmanageStorageServer', id)
    await eventually(async () => expect((await list()).z?.connected).toBe(true))
    engine.refusal = null
    await eventually(() => expect(engine.sessions.filter(({ ready }) => ready)).toHaveLength(2), { timeoutMs: 15_000 })
    expect(engine.session.inventory.map(({ subject }) => subject)).toEqual(['host-storage-connection/z'])
    await say('unmanageStorageServer', 'z')
    await eventually(() => expect(told().at(-1)?.gone).toBe(true))
    expect(
      told()
        .slice(before)
        .filter(({ subject }) => !subject.endsWith('/z')),
    ).toEqual([])
  })

  it('lists what the kernel has connected and no id holds, as it comes and goes', async () => {
    const kernel: KernelConnection[] = [exported]
    const { list, told, engine } = await start(kernel)
    const unmanaged = async () => Object.entries(await list())
    const [[key, entry] = []] = await unmanaged()
    expect(key).toMatch(/^unmanaged\/[0-9a-f]{16}$/)
    expect(entry).toEqual({
      connectionInfo: {
        uri: 'nfs://server/export',
        target: 'nfs://server/export',
        options: {},
        mountPoint: '/mnt/export',
      },
      connected: true,
      managed: false,
      status: 'UP',
    })
    const [item] = engine.session.inventory
    kernel.length = 0
    expect(await unmanaged()).toEqual([])
    await eventually(() => expect(told().at(-1)).toMatchObject({ subject: item?.subject, gone: true }))
    kernel.push(exported)
    await eventually(() => expect(told().at(-1)).toMatchObject({ subject: item?.subject, status: 'UP' }))
  })

  it('says how many more there are than it lists, to programs of the host and to the plane', async () => {
    const mounts = Array.from({ length: MAX_OWN_THINGS + 3 }, (_, n) => {
      return { ...exported, uri: `nfs://server/${n}`, device: `0:${n}`, mountPoint: `/mnt/${n}` }
    })
    const { engine, config } = await start(mounts)
    expect(engine.session.inventory).toHaveLength(MAX_OWN_THINGS + 1)
    expect(engine.session.inventory.at(-1)).toMatchObject({
      subject: 'untold-storage-connections/unmanaged',
      detail: { count: 3 },
    })
    const { unmanaged, untold } = (await readAgentStatus(config.stateDir)).holds
    expect([unmanaged.length, untold]).toEqual([MAX_OWN_THINGS, 3])
    // the reader of the tests takes no reply of that size
    const own = { manage: async () => undefined, unmanage: async () => undefined }
    const verbs = storageVerbs({
      own,
      held: () => [],
      unmanaged: async () => [],
      untold: () => untold,
      logger: silentLogger,
    })
    expect(await verbs.getStorageServerList?.([])).toMatchObject({ connections: {}, untold: 3 })
  })

  it('is in what the agent says of itself, running or not', async () => {
    const { agent, config, say, uri } = await start([exported])
    await say('manageStorageServer', uri, 'a')
    await eventually(async () =>
      expect((await readAgentStatus(config.stateDir)).holds).toMatchObject({
        connections: [{ connectionId: 'a', origin: 'host', uri, status: 'UP' }],
        unmanaged: [{ uri: 'nfs://server/export', mountPoint: '/mnt/export' }],
      }),
    )
    await agent.stop('stopping')
    expect((await readAgentStatus(config.stateDir)).holds).toMatchObject({
      connections: [{ connectionId: 'a', origin: 'host', uri, status: 'UNKNOWN' }],
    })
  })
})

describeWithPython('the xmlrpc.client of Python', () => {
  const client = `
import http.client, json, socket, sys, xmlrpc.client

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(sys.argv[1])

class Transport(xmlrpc.client.Transport):
    def make_connection(self, host):
        return Connection(host)

with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=Transport(), allow_none=True) as host:
    uri = sys.argv[2]
    said = [
        host.manageStorageServer(uri, "FLOW_é<&>", {}),
        host.manageStorageServer(uri, "FLOW_é<&>", None),
        host.manageStorageServer(uri, "plain"),
        host.getStorageServerList(),
        host.unmanageStorageServer("plain"),
        host.unmanageStorageServer("plain"),
        host.getStorageServerList(),
    ]
    try:
        host.cleanUp()
    except xmlrpc.client.Fault as fault:
        said.append(fault.faultCode)
    print(json.dumps(said, default=str))
`

  it('calls the verbs over the socket', async () => {
    const { config, uri } = await start([exported])
    const run = promisify(execFile)
    const { stdout } = await run('python3', ['-c', client, verbsSocket(config.stateDir), uri], { timeout: 30_000 })
    const [managed, again, plain, list, unmanaged, twice, after, fault] = JSON.parse(stdout)
    expect([managed, again, plain, unmanaged].map(({ status }) => status)).toEqual(
      Array(4).fill({ code: 0, message: 'Done' }),
    )
    expect(list.connections).toMatchObject({
      'FLOW_é<&>': { managed: true, origin: 'host', connectionInfo: { uri } },
      plain: { managed: true },
    })
    expect(twice.status).toMatchObject({ code: 479 })
    expect(Object.keys(after.connections).map((key) => key.replace(/[0-9a-f]{16}/, '…'))).toEqual([
      'FLOW_é<&>',
      'unmanaged/…',
    ])
    expect(fault).toBe(-32601)
  })
})

it('an agent that cannot make the socket serves the plane all the same', async () => {
  const engine = await engineForTest()
  const config = await configFor(engine)
  await mkdir(join(config.stateDir, 'verbs.sock', 'in the way'), { recursive: true })
  await agentForTest(config)
  await eventually(() => expect(engine.session.ready).toBe(true))
})
