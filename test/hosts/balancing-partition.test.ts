import { freePort } from '../support/address.js'
import { eventually } from '../support/eventually.js'
import { Ground } from '../trial/support/ground.js'
import { Plane } from '../trial/support/plane.js'
import { type Client, connectClient, ip } from './support/bridges.js'
import { Machine, UPLINK } from './support/machine.js'
import { describeWith } from './support/needs.js'
import { Onlooker } from './support/onlooker.js'

const SOON = { timeoutMs: 70_000, intervalMs: 50 }
const VIP = '10.215.0.5'
const CLIENT = '10.215.0.9'
const ENGINE = '198.18.77.1'
const settings = {
  'sessions.heartbeatMs': 300,
  'sessions.silenceMs': 1_500,
  'balancing.selfFenceMs': 10_000,
  'balancing.moveGraceMs': 20_000,
  'balancing.observeIntervalMs': 500,
}

describeWith(
  ['ip', 'unshare', 'nsenter', 'python3', 'haproxy', 'sysctl', 'arping'],
  'a VIP that two hosts may have',
  () => {
    const ground = new Ground()
    const machines = new Map<string, Machine>()
    const [management, network] = [`klm${process.pid}`, `kln${process.pid}`]
    let client: Client
    let plane: Plane
    let onlooker: Onlooker
    let id: string
    let tcp: string

    const hostOf = async () => (await plane.rest.get(`/api/v1/load-balancers/${id}`)).body
    const nameOf = async (hostId: string): Promise<string> =>
      (await plane.rest.get(`/api/v1/hosts/${hostId}`)).body.name
    const settled = (unlike: string | null = null) =>
      eventually(async () => {
        const balancer = await hostOf()
        expect(balancer).toMatchObject({ provisioningStatus: 'ACTIVE', operatingStatus: 'ONLINE' })
        const name = await nameOf(balancer.hostId)
        if (balancer.moving || name === unlike) throw new Error(`it is on its way, or still on ${name}`)
        const other = [...machines.keys()].find((one) => one !== name)!
        return { home: machines.get(name)!, away: machines.get(other)! }
      }, SOON)
    const carries = () => eventually(() => expect(onlooker.replies().slice(-3)).toEqual(['200', '200', '200']), SOON)

    beforeAll(async () => {
      for (const bridge of [management, network]) {
        ip('link', 'add', bridge, 'type', 'bridge')
        ip('link', 'set', bridge, 'up')
      }
      ip('addr', 'add', `${ENGINE}/24`, 'dev', management)
      tcp = `${ENGINE}:${await freePort()}`
      plane = await Plane.start(ground, { env: { KEELSON_TCP: tcp } })
      for (const [key, value] of Object.entries(settings)) {
        expect(await plane.rest.send('PUT', `/api/v1/settings/${key}`, { value })).toMatchObject({ status: 200 })
      }
      for (const [index, name] of ['left', 'right'].entries()) {
        const machine = await Machine.start(ground, name, { management, address: `198.18.77.${index + 2}/24`, network })
        machines.set(name, machine)
        await machine.is(await plane.tcp.identityOf(name))
        machine.startAgent(tcp)
      }
      for (const name of machines.keys()) await plane.hostUp(name)
      client = connectClient(network, `${CLIENT}/24`)
      onlooker = new Onlooker(ground, client, CLIENT, VIP)
      const bridged = { name: 'vips', cidr: '10.215.0.0/24', bridge: 'br-vips', createBridge: true, uplink: UPLINK }
      const made = await plane.rest.send('POST', '/api/v1/networks', bridged)
      const wanted = {
        name: 'web',
        vipNetworkId: made.body.id,
        vipAddress: VIP,
        provider: 'haproxy',
        listeners: [
          {
            protocol: 'HTTP',
            protocolPort: 80,
            defaultPool: {
              name: 'web',
              protocol: 'HTTP',
              lbAlgorithm: 'ROUND_ROBIN',
              members: [{ address: CLIENT, protocolPort: 3000 }],
            },
          },
        ],
      }
      const created = await plane.rest.send('POST', '/api/v1/load-balancers', wanted)
      expect(created).toMatchObject({ status: 202 })
      id = created.body.id
      await eventually(async () => expect(await hostOf()).toMatchObject({ provisioningStatus: 'ACTIVE' }), SOON)
      await carries()
    }, 240_000)
    afterAll(async () => {
      client?.detach()
      for (const machine of machines.values()) await machine.stop()
      for (const bridge of [management, network]) ip('link', 'del', bridge)
      await plane?.stop()
      ground.clear()
    })
    afterEach(() => expect(onlooker.stderr.trim()).toBe(''))

    it('stays up while its agent is killed and started again', async () => {
      const { home } = await settled()
      const before = onlooker.replies().length
      await home.signalAgent('SIGKILL')
      home.startAgent(tcp)
      await eventually(async () => expect(home.log).toContain('agent started'), SOON)
      await plane.hostUp(home.name)
      await eventually(() => expect(onlooker.replies(before).length).toBeGreaterThan(200), SOON)
      expect(new Set(onlooker.replies(before))).toEqual(new Set(['200']))
      expect(onlooker.holders()).toHaveLength(1)
    }, 240_000)

    it('moves off a host that is cut off, which lets go of it without trouble when it is back', async () => {
      const { home, away } = await settled()
      const before = onlooker.holders().length
      home.cutOff()
      const next = await settled(home.name)
      expect(next.home).toBe(away)
      await carries()
      expect(onlooker.holders()).toHaveLength(before + 1)
      expect(home.addresses()).toEqual([])
      home.heal()
      await plane.hostUp(home.name)
      await eventually(() => expect(home.places()).toEqual([]), SOON)
      await carries()
      expect(onlooker.holders()).toHaveLength(before + 1)
      expect(away.addresses()).toEqual([VIP])
      expect(await settled()).toMatchObject({ home: away })
    }, 240_000)

    it.each([
      ['was killed', 'SIGKILL'],
      ['was stopped', 'SIGTERM'],
    ] as const)(
      'goes down by itself, and to the other host, where the agent %s and does not come back',
      async (_, signal) => {
        const { home, away } = await settled()
        const before = onlooker.holders().length
        await home.signalAgent(signal)
        // by the kernel alone
        await eventually(() => expect(home.addresses()).toEqual([]), SOON)
        const next = await settled(home.name)
        expect(next.home).toBe(away)
        await carries()
        expect(onlooker.holders()).toHaveLength(before + 1)
        home.startAgent(tcp)
        await plane.hostUp(home.name)
        await eventually(() => expect(home.places()).toEqual([]), SOON)
        expect(onlooker.holders()).toHaveLength(before + 1)
      },
      240_000,
    )
  },
)
