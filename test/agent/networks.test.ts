import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../src/agent/host/run.js'
import { Ip } from '../../src/agent/networks/ip.js'
import { networksObstacle } from '../../src/agent/networks/obstacle.js'
import { createVipPlaces } from '../../src/agent/networks/vip-places.js'
import { temporaryDirectory } from './support/temporary.js'

const network = {
  id: 'n',
  cidr: '127.0.0.0/8',
  gateway: null,
  bridge: null,
  createBridge: false,
  uplink: null,
  vlan: null,
  hostIsGateway: false,
}

const outputs = (stderr: string) => async () =>
  ({ outcome: 'exited', code: 1, stdout: '', stderr, truncated: false }) as const

describe('places of VIPs', () => {
  it('need nothing of the host where the address is its own', async () => {
    const stateDir = await temporaryDirectory()
    const places = createVipPlaces({ run, stateDir, isRoot: false })
    const id = randomUUID()
    expect(await places.ensure(id, { address: '127.9.8.7', network })).toEqual({ namespace: null, enter: [] })
    await places.takeDown(id)
    expect(await places.list()).toContain(id)
    await places.remove(id)
    expect(await places.list()).not.toContain(id)
    expect(readdirSync(join(stateDir, 'networks'))).toEqual([])
  })

  it('are found though a power cut has torn what was written of one', async () => {
    const stateDir = await temporaryDirectory()
    const places = createVipPlaces({ run, stateDir, isRoot: false })
    const id = randomUUID()
    mkdirSync(join(stateDir, 'networks'))
    writeFileSync(join(stateDir, 'networks', 'kl-0.json'), '{"id":')
    await places.ensure(id, { address: '127.9.8.7', network })
    expect(await places.list()).toContain(id)
  })
})

describe('ip(8)', () => {
  it('that fails is told with the change that failed, and in its own words', async () => {
    const directory = await temporaryDirectory()
    const ip = new Ip(outputs('Error: Unknown device type.\nCommand failed /x/kl-1.batch:2\n'), directory)
    await expect(ip.batch({ name: 'kl-1', lines: ['link set a up', 'link add b type vlan'] })).rejects.toMatchObject({
      type: 'network',
      message: 'ip link add b type vlan: Error: Unknown device type.',
    })
    expect(readdirSync(directory)).toEqual([])
  })

  it('may say that there was nothing to do', async () => {
    const ip = new Ip(outputs('Error: ipv4: Address not found.\n'), await temporaryDirectory())
    await ip.change(['addr', 'del'], /not found/)
    await expect(ip.change(['addr', 'del'])).rejects.toMatchObject({
      type: 'network',
      message: 'ip addr del: Error: ipv4: Address not found.',
    })
  })
})

describe('bridges and namespaces', () => {
  it('are out of reach for an agent that may not make them, or has no program for it', async () => {
    expect(await networksObstacle({ run, isAble: async () => false })).toMatchObject({ type: 'permission' })
    const path = await temporaryDirectory()
    expect(await networksObstacle({ run, path, isAble: async () => true })).toEqual({
      type: 'unsupported',
      message: 'the program ip is not installed (Debian: iproute2)',
    })
  })
})
