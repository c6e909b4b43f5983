import { execFile } from 'node:child_process'
import { readFile, rename, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { monitorTypes } from '../../src/broker/monitors/monitor-types.js'
import { exitCodes } from '../../src/config/exit.js'
import { whenTestEnds } from '../agent/support/temporary.js'
import { describeWithPython } from '../agent/support/xmlrpc.js'
import { eventually } from '../support/eventually.js'
import { keelson } from '../support/process.js'
import { BrokerProcess } from './support/broker-process.js'

const text = (value: string) => Buffer.from(value)
const blocks = async (broker: BrokerProcess) => (await broker.call('get_stats')) as unknown as Record<string, Buffer>
const blockOf = async (broker: BrokerProcess, id: number) =>
  (await blocks(broker))[id]?.toString('utf8').replace(/\0+$/, '')

describe('a broker', () => {
  it('keeps blocks of hosts, padded with zeros, and leaves empty ones out', async () => {
    const broker = await BrokerProcess.start()
    expect(await broker.call('put_stats', 0, text('maintenance=0\n'))).toBe('ok')
    expect(await broker.call('put_stats', 3, text('hosté'))).toBe('ok')
    const seen = await blocks(broker)
    expect(Object.keys(seen)).toEqual(['0', '3'])
    expect(seen[3]).toHaveLength(4096)
    expect(seen[3]!.toString('utf8').replace(/\0+$/, '')).toBe('hosté')
    expect((await readFile(broker.whiteboard)).subarray(3 * 4096, 3 * 4096 + 6)).toEqual(text('hosté'))
  })

  it('refuses what is more than a block, and the next one is as it was', async () => {
    const broker = await BrokerProcess.start()
    await broker.call('put_stats', 2, text('next'))
    await expect(broker.call('put_stats', 1, Buffer.alloc(5000, 'x'))).rejects.toMatchObject({ code: 102 })
    expect(await blocks(broker)).toEqual({ 2: expect.anything() })
    expect(await blockOf(broker, 2)).toBe('next')
  })

  it.each<[string, string, unknown[], number]>([
    ['a method that it does not have', 'ping', [], -32601],
    ['a method that JavaScript has', 'toString', [], -32601],
    ['too few arguments', 'put_stats', [1], -32602],
    ['too many arguments', 'is_host_alive', [1], -32602],
    ['an argument of another type', 'put_stats', ['1', text('x')], -32602],
    ['a text for bytes', 'put_stats', [1, 'x'], -32602],
    ['an id beyond the last host', 'put_stats', [2001, text('x')], 103],
    ['an id below the cluster', 'put_stats', [-1, text('x')], 103],
    ['the cluster among hosts', 'push_hosts_state', [[0]], 103],
    ['an unknown kind of monitor', 'start_monitor', ['ping', {}], 110],
    ['a kind of monitor that JavaScript has', 'start_monitor', ['constructor', {}], 110],
    ['a monitor that does not run', 'status_monitor', ['network'], 111],
    ['stopping a monitor that does not run', 'stop_monitor', ['network'], 111],
    ['an option that a monitor does not have', 'start_monitor', ['network', { fish: '1' }], 112],
    ['an option that cannot be that', 'start_monitor', ['network', { network_test: 'fish' }], 112],
    ['an option that is missing', 'start_monitor', ['mgmt-bridge', {}], 112],
    ['the host id of somebody else', 'lock_host_id', [2], 104],
  ])('answers %s with a fault, and goes on', async (_, method, params, code) => {
    const broker = await BrokerProcess.start()
    await expect(broker.call(method, ...(params as never[]))).rejects.toMatchObject({ code })
    expect(await broker.call('is_host_alive')).toEqual([])
  })

  it('answers who was said to be alive', async () => {
    const broker = await BrokerProcess.start()
    expect(await broker.call('push_hosts_state', [3, 1, 3])).toBe('ok')
    expect(await broker.call('is_host_alive')).toEqual([1, 3])
  })

  it('claims its own host id, watches, and forgets', async () => {
    const broker = await BrokerProcess.start()
    for (const [method, ...params] of [
      ['start_domain_monitor', 1],
      ['lock_host_id', 1],
      ['stop_domain_monitor'],
      ['release_host_id'],
      ['reset_lockspace'],
    ] as const) {
      expect(await broker.call(method, ...params)).toBe('ok')
    }
    expect(await broker.call('notify', 'state_transition', 'EngineDown-EngineUp', {})).toBe('ignored')
  })

  it('tells what monitors see, and what is unknown is never good', async () => {
    const broker = await BrokerProcess.start()
    const start = async (type: string, options: Record<string, string | null> = {}) => {
      expect(await broker.call('start_monitor', type, options)).toBe(type)
    }
    await start('mem-free', { address: '0', use_ssl: 'true' })
    await start('network', { network_test: 'none', addr: null, tcp_t_address: null, tcp_t_port: null })
    await start('storage-domain', { sd_uuid: 'any' })
    await start('mgmt-bridge', { bridge_name: 'nosuchbridge' })
    await start('disk-space', { path: '/' })
    await eventually(async () => {
      expect(Number(await broker.call('status_monitor', 'mem-free'))).toBeGreaterThan(0)
      expect(await broker.call('status_monitor', 'network')).toBe('1.0')
      expect(await broker.call('status_monitor', 'storage-domain')).toBe('True')
      expect(Number(await broker.call('status_monitor', 'disk-space'))).toBeGreaterThan(0)
    })
    expect(await broker.call('status_monitor', 'mgmt-bridge')).toBe('None')
    await start('network', { network_test: 'tcp', tcp_t_address: '127.0.0.1', tcp_t_port: '1' })
    await eventually(async () => expect(await broker.call('status_monitor', 'network')).toBe('0.0'))
  })

  it('answers any call after kill -9: monitors go on, and the last write of each block is there', async () => {
    const broker = await BrokerProcess.start()
    await broker.call('start_monitor', 'network', { network_test: 'none' })
    const writes: Promise<unknown>[] = []
    for (let i = 0; i < 250; i++) {
      writes.push(broker.call('put_stats', 0, text(`cluster ${i}`)), broker.call('put_stats', 1, text(`host ${i}`)))
      if (writes.length >= 20) await Promise.all(writes.splice(0))
    }
    await Promise.all(writes)
    // after all others have been answered
    await broker.call('put_stats', 0, text('cluster last'))
    await broker.call('put_stats', 1, text('host last'))
    await broker.kill()
    await broker.restart()
    expect(await blockOf(broker, 0)).toBe('cluster last')
    expect(await blockOf(broker, 1)).toBe('host last')
    await eventually(async () => expect(await broker.call('status_monitor', 'network')).toBe('1.0'))
    await broker.kill()
    await broker.restart()
    expect(await broker.call('stop_monitor', 'network')).toBe('ok')
    await broker.kill()
    await broker.restart()
    await expect(broker.call('status_monitor', 'network')).rejects.toMatchObject({ code: 111 })
  })

  it('loses no write of the cluster when those of a host follow', async () => {
    const broker = await BrokerProcess.start()
    for (let i = 0; i < 30; i++) {
      await Promise.all([
        broker.call('put_stats', 0, text(`maintenance=${i}`)),
        broker.call('put_stats', 1, text(`host ${i}`)),
      ])
      expect(await blockOf(broker, 0)).toBe(`maintenance=${i}`)
    }
  })

  it('serves while the storage is not there, and by itself once it is', async () => {
    const broker = await BrokerProcess.start()
    const storage = join(broker.directory, 'storage')
    await rename(storage, `${storage}.away`)
    await broker.call('start_monitor', 'storage-domain', {})
    await expect(broker.call('put_stats', 1, text('x'))).rejects.toMatchObject({ code: 100 })
    await expect(broker.call('get_stats')).rejects.toMatchObject({ code: 100 })
    await eventually(async () => expect(await broker.call('status_monitor', 'storage-domain')).toBe('False'))
    await rename(`${storage}.away`, storage)
    expect(await broker.call('put_stats', 1, text('x'))).toBe('ok')
    await eventually(async () => expect(await broker.call('status_monitor', 'storage-domain')).toBe('True'))
  })

  it('says that the storage is stuck instead of hanging, delays nobody, and recovers', async () => {
    const broker = await BrokerProcess.start()
    await broker.call('put_stats', 1, text('before'))
    process.kill((await broker.ioPid())!, 'SIGSTOP')
    const stuck = broker.call('put_stats', 1, text('stuck')).catch((error: unknown) => error)
    expect(await broker.call('push_hosts_state', [1])).toBe('ok')
    expect(await stuck).toMatchObject({ code: 101 })
    await eventually(async () => expect(await broker.call('put_stats', 1, text('after'))).toBe('ok'))
    expect(await blockOf(broker, 1)).toBe('after')
  })

  it('is delayed by no caller that says half of what it has to', async () => {
    const broker = await BrokerProcess.start()
    for (let i = 0; i < 5; i++) {
      const half = connect({ path: broker.socket })
      half.on('error', () => undefined)
      whenTestEnds(async () => void half.destroy())
      half.write('POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 500\r\n\r\n<methodCall>')
    }
    await Promise.all(Array.from({ length: 10 }, () => broker.call('is_host_alive')))
  })

  it('makes a socket for whom it is told', async () => {
    const broker = await BrokerProcess.start(['--socket-mode', '0660'])
    expect((await stat(broker.socket)).mode & 0o777).toBe(0o660)
    await expect(broker.call('lock_host_id', 1)).rejects.toMatchObject({ code: 104 })
  })

  it('refuses to run where another does, whose socket stays its own', async () => {
    const broker = await BrokerProcess.start()
    const { code } = await keelson(['broker', ...broker.paths]).ended
    expect(code).toBe(exitCodes.directory)
    expect(await broker.call('is_host_alive')).toEqual([])
  })

  it('refuses to listen where others than this machine could call', async () => {
    const { code } = await keelson(['broker', '--whiteboard', '/nowhere', '--tcp', '0.0.0.0:18999']).ended
    expect(code).toBe(exitCodes.configuration)
  })
})

const python = `
import base64, http.client, socket, sys, xmlrpc.client

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(base64.b16decode(self.host.encode()).decode())

class Transport(xmlrpc.client.Transport):
    def make_connection(self, host):
        return Connection(host)

path = sys.argv[1]
host = base64.b16encode(path.encode()).decode()
broker = xmlrpc.client.ServerProxy('http://' + host, transport=Transport(), allow_none=True)
`

/** As oVirt's client calls: over the unix socket, whose path is the host in base16, with nil among the options. */
async function asClient(broker: BrokerProcess, script: string): Promise<string> {
  return (await promisify(execFile)('python3', ['-c', `${python}\n${script}`, broker.socket])).stdout
}

describeWithPython("oVirt's way of calling", () => {
  it('carries out every call', async () => {
    const broker = await BrokerProcess.start()
    const said = await asClient(
      broker,
      `
print(broker.start_monitor('network', {'addr': None, 'network_test': 'none', 'tcp_t_address': None, 'tcp_t_port': None}))
print(broker.stop_monitor('network'))
print(broker.put_stats(1, xmlrpc.client.Binary(b'one')))
print({id: block.data.rstrip(bytes(1)) for id, block in broker.get_stats().items()})
print(broker.push_hosts_state([1, 2]), broker.is_host_alive())
print(broker.notify('state_transition', 'detail', {}))
print(broker.start_domain_monitor(1), broker.lock_host_id(1), broker.release_host_id(), broker.stop_domain_monitor(), broker.reset_lockspace())
`,
    )
    expect(said.trim().split('\n')).toEqual([
      'network',
      'ok',
      'ok',
      "{'1': b'one'}",
      'ok [1, 2]',
      'ignored',
      'ok ok ok ok ok',
    ])
  })

  it('finds its way by the system methods, and makes many calls at once', async () => {
    const broker = await BrokerProcess.start()
    const said = await asClient(
      broker,
      `
names = broker.system.listMethods()
print(len(names), all(broker.system.methodHelp(name) for name in names))
print(broker.system.methodSignature('put_stats'))
many = xmlrpc.client.MultiCall(broker)
many.push_hosts_state([4]); many.is_host_alive(); many.nosuch()
results = many()
print(results[0], results[1])
try: results[2]
except xmlrpc.client.Fault as fault: print(fault.faultCode)
`,
    )
    expect(said.trim().split('\n')).toEqual(['17 True', "[['string', 'int', 'base64']]", 'ok [4]', '-32601'])
  })
})

describe('the kinds of monitors', () => {
  it('are those of the original, and more', () => {
    expect(Object.keys(monitorTypes).sort()).toEqual(
      [
        'clock-offset',
        'cpu-load',
        'cpu-load-no-engine',
        'disk-space',
        'engine-health',
        'libvirt',
        'mem-free',
        'mgmt-bridge',
        'network',
        'storage-domain',
      ].sort(),
    )
  })
})
