import { digestOf } from '../../src/wire/digest.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { secureSocket } from '../support/secure-socket.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
const agents: WireAgent[] = []

beforeAll(async () => {
  engine = await startTestEngine()
})
afterEach(() => {
  for (const agent of agents.splice(0)) agent.vanish()
})
afterAll(async () => {
  await engine.stop()
})

async function open(...args: Parameters<typeof helloOf>): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, helloOf(...args))
  agents.push(agent)
  return agent
}

async function dial(...args: Parameters<typeof helloOf>): Promise<WireAgent> {
  const agent = await WireAgent.dial(engine.tcp, helloOf(...args))
  agents.push(agent)
  return agent
}

const secure = (name: string) => secureSocket(engine.tcp, name)
const hostOf = async (agent: WireAgent) => (await engine.http.get(`/api/v1/hosts/${agent.hostId}`)).body

async function put(agent: WireAgent, id: string, headers: Record<string, string> = {}, uri = 'local:///srv/images') {
  return engine.http.put(`/api/v1/hosts/${agent.hostId}/storage-connections/${id}`, { uri }, { headers })
}

describe('a session', () => {
  it('shows the host of its certificate Up with its facts', async () => {
    const agent = await open('fresh')
    expect(await hostOf(agent)).toMatchObject({ name: 'fresh', status: 'Up', connected: true, facts: { cpus: 2 } })
  })

  it('tells the agent its epoch, its intervals, the addresses of the replicas and the settings for agents', async () => {
    const { welcome } = await open('welcomed')
    expect(welcome).toMatchObject({
      epoch: 1,
      protocol: 1,
      heartbeatMs: 5_000,
      addresses: [`127.0.0.1:${engine.tcp.port}`],
      settings: {
        'storage.probeIntervalMs': 10_000,
        'storage.probeTimeoutMs': 3_000,
        'balancing.observeIntervalMs': 3_000,
        'balancing.selfFenceMs': 20_000,
      },
    })
  })

  it('is refused by name when the agent speaks a protocol that is too old', async () => {
    const agent = await dial('ancient', { protocol: 0 })
    expect(agent.refusal).toMatchObject({ code: 'protocol-unsupported' })
    expect(agent.refusal?.message).toContain('ancient speaks protocol 0')
  })

  it('serves an agent that understands fewer kinds by what it understands, and refuses the rest by name', async () => {
    const agent = await open('modest', { kinds: ['storage.manage', 'storage.unmanage'] })
    expect((await put(agent, 'a')).status).toBe(202)
    await agent.report(await agent.command(0))
    const reset = await engine.http.post(`/api/v1/hosts/${agent.hostId}/storage-connections/a/reset`)
    expect(reset).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:unsupported-by-host' } })
    expect(reset.body.detail).toContain('storage.reset')
  })

  it('fails a queued command by name that the agent does not understand when it comes', async () => {
    const host = (await engine.http.post('/api/v1/hosts', { name: 'downgraded' })).body
    await engine.http.put(`/api/v1/hosts/${host.id}/storage-connections/a`, { uri: 'local:///x' })
    const agent = await open('downgraded', { kinds: [] })
    await eventually(async () => {
      const { body } = await engine.http.get(`/api/v1/hosts/${agent.hostId}/storage-connections/a`)
      expect(body).toMatchObject({ provisioningStatus: 'ERROR', fault: { type: 'unsupported' } })
    })
  })

  it('refuses a second agent with the same certificate while the first has its session', async () => {
    await open('taken')
    const second = await dial('taken')
    expect(second.refusal).toMatchObject({ code: 'name-taken' })
  })

  it('takes a reinstalled agent once the first is gone', async () => {
    const first = await open('reinstalled')
    first.vanish()
    await eventually(async () => expect((await hostOf(first)).connected).toBe(false))
    const second = await open('reinstalled')
    expect(second.hostId).toBe(first.hostId)
  })

  it('raises the epoch with each opening and fences the session before', async () => {
    const first = await open('fenced')
    const second = await WireAgent.open(engine.tcp, first.again())
    agents.push(second)
    expect(second.epoch).toBe(first.epoch + 1)
    await eventually(() => expect(first.goodbye?.reason).toBe('fenced'))
    expect(await first.beat().catch(() => ({ refused: true }))).toMatchObject({ refused: true })
  })

  it('goes on above an epoch that the agent has seen elsewhere', async () => {
    const agent = await open('ahead', { epoch: 41, incarnation: 'of another life' })
    expect(agent.epoch).toBe(42)
  })

  it('shows the host NonResponsive when the connection breaks, and Up when it is back', async () => {
    const agent = await open('flapping')
    agent.vanish()
    await eventually(async () =>
      expect(await hostOf(agent)).toMatchObject({
        status: 'NonResponsive',
        connected: false,
        statusReason: 'its connection broke',
      }),
    )
    agents.push(await WireAgent.open(engine.tcp, agent.again()))
    expect(await hostOf(agent)).toMatchObject({ status: 'Up', connected: true })
  })

  it('shows the host Down when the agent says goodbye', async () => {
    const agent = await open('leaving')
    await agent.close('leaving')
    expect(await hostOf(agent)).toMatchObject({ status: 'Down', connected: false })
  })

  it('drops a host that falls silent although its connection stands', async () => {
    const set = async (key: string, value: number) => {
      expect((await engine.http.put(`/api/v1/settings/${key}`, { value })).status).toBe(200)
      await eventually(async () => expect((await engine.http.get(`/api/v1/settings/${key}`)).body.value).toBe(value))
    }
    await set('sessions.heartbeatMs', 300)
    await set('sessions.silenceMs', 1_000)
    const agent = await open('silent')
    await eventually(async () => expect((await hostOf(agent)).status).toBe('NonResponsive'))
    await set('sessions.silenceMs', 15_000)
    await set('sessions.heartbeatMs', 5_000)
  })

  it('gives no command before the inventory was compared', async () => {
    const agent = await dial('reticent')
    await put(agent, 'a')
    await agent.beat()
    expect(agent.commands).toEqual([])
    await agent.inventory([])
    expect((await agent.command(0)).kind).toBe('storage.manage')
  })

  it('answers a malformed message with a refusal that names the field', async () => {
    const agent = await open('malformed')
    const answer = await agent.call<{ code: string; message: string }>(
      { command: 'report' },
      { epoch: agent.epoch, reports: [{ commandId: 'x' }] },
    )
    expect(answer).toMatchObject({ refused: true, code: 'bad-message' })
    expect(answer.message).toContain('commandId')
  })

  it('takes who a caller is from its session, never from what it says', async () => {
    const [mine, other] = [await open('mine'), await open('other')]
    await put(mine, 'a')
    const command = await mine.command(0)
    expect(await other.report(command)).toEqual({ acknowledged: [command.id] })
    const { body } = await engine.http.get(`/api/v1/commands/${command.id}`)
    expect(body.state).toBe('dispatched')
  })

  it('takes an inventory in pages', async () => {
    const agent = await dial('paged')
    const item = (n: number) => ({
      subject: `storage-connection/p${n}`,
      generation: 1,
      status: 'UP',
      origin: 'host' as const,
      digest: digestOf({ n }),
    })
    await agent.inventory(
      Array.from({ length: 500 }, (_, n) => item(n)),
      false,
    )
    await agent.inventory([item(500)], true)
    const { body } = await engine.http.get(`/api/v1/quarantine?hostId=${agent.hostId}&limit=500`)
    expect(body.items).toHaveLength(500)
    expect(body.next).not.toBeNull()
  })
})

describe('the transport', () => {
  const hostile: [string, Buffer | string][] = [
    ['garbage', 'GET / HTTP/1.1\r\n\r\n'],
    ['a length that is too large', '999999999#x'],
    ['a length that is no number', 'abc#{}'],
    ['a negative length', '-5#{}'],
    ['a frame that is not JSON', '5#{oops'],
    ['a frame that is null', '4#null'],
    ['a frame without a pattern', '12#{"id":"1"}  '],
    ['broken UTF-8', Buffer.from([0x35, 0x23, 0xff, 0xfe, 0xfd, 0xfc, 0xfb])],
    ['prototype keys', '46#{"__proto__":{"x":1},"pattern":"x","id":"1"}   '],
  ]

  it.each(hostile)('survives %s without harm to another host', async (name, bytes) => {
    const other = await open(`bystander-${hostile.findIndex(([n]) => n === name)}`)
    const socket = await secure(`speaker-${hostile.findIndex(([n]) => n === name)}`)
    socket.resume().end(bytes)
    await new Promise((resolve) => socket.once('close', resolve))
    expect(await other.beat()).toEqual({ ok: true })
  })

  it('takes frames that come byte by byte, and several in one packet', async () => {
    const socket = await secure('piecemeal')
    const frame = frameOf({ pattern: { session: 'heartbeat' }, data: { epoch: 1, ключ: 'значение' }, id: 'é1' })
    for (const byte of Buffer.from(frame)) socket.write(Buffer.from([byte]))
    socket.write(frame + frame)
    const text = await new Promise<string>((resolve) => {
      let all = ''
      socket.setEncoding('utf8').on('data', (chunk: Buffer | string) => {
        all += String(chunk)
        if ((all.match(/fenced/g) ?? []).length === 3) resolve(all)
      })
    })
    expect(text).toContain('"id":"é1"')
    socket.destroy()
  })

  it('cuts off a peer that sends without end', async () => {
    const socket = await secure('endless')
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const chunk = Buffer.alloc(65_536, 'x')
    let sent = 0
    const pour = () => {
      while (!socket.destroyed && sent < 64 * 1_048_576) {
        sent += chunk.length
        if (!socket.write(chunk)) return socket.once('drain', pour)
      }
    }
    socket.write('100000000#')
    pour()
    await closed
    expect(sent).toBeLessThan(64 * 1_048_576)
  })
})

function frameOf(packet: object): string {
  const json = JSON.stringify(packet)
  return `${json.length}#${json}`
}
