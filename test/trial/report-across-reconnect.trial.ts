import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../support/address.js'
import { eventually } from '../support/eventually.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { UnmountWitness } from './support/effects.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { Plane } from './support/plane.js'
import { RealHost } from './support/real-host.js'
import type { Body } from './support/rest.js'
import { Chance, scaled } from './support/scale.js'

const ROUNDS = scaled(20, 3)
const SLOW_SECONDS = 1
const ACTIVE = { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' }
const isRoot = process.getuid?.() === 0
const chance = new Chance('report-across-reconnect')
const figures = new Figures('Reports that are finished while the connection is down')
const ground = new Ground()
const witness = new UnmountWitness(ground)
let plane: Plane
let proxy: TcpProxy
let host: RealHost
let hostId: string
let attempts = 0

beforeAll(async () => {
  const tcp = await freePort()
  proxy = await startTcpProxy(`tcp://127.0.0.1:${tcp}`)
  const address = new URL(proxy.url).host
  plane = await Plane.start(ground, { tcpPort: tcp, env: { KEELSON_ADVERTISE: address } })
  host = new RealHost(ground, { tcpAddress: address, joinTokenFile: plane.joinTokenFile }, 'cut-off', {
    PATH: `${slowly('mount')}:${witness.path}`,
  })
  host.start()
  hostId = (await plane.hostUp('cut-off')).id
})

afterAll(async () => {
  figures.add('cuts', ROUNDS)
  figures.add('times that commands were sent', attempts)
  figures.print()
  await host?.stop()
  await plane?.stop()
  await proxy?.cut()
  ground.clear()
})

/** A program that takes its time, so that there is a moment to cut the connection in. */
function slowly(program: string): string {
  const directory = ground.makeDirectory('slow')
  writeFileSync(join(directory, program), `#!/bin/sh\nsleep ${SLOW_SECONDS}\nexec /usr/bin/${program} "$@"\n`)
  chmodSync(join(directory, program), 0o755)
  return directory
}

const uriOf = (id: string): string => {
  const path = ground.makeDirectory('srv', id)
  return isRoot ? `posix://${path}?fstype=bind` : `local://${path}`
}

async function commandOf(id: string): Promise<Body> {
  return (await plane.rest.get(`/api/v1/commands/${id}`)).body
}

async function ended(commandId: string): Promise<Body> {
  const command = await eventually(
    async () => {
      const found = await commandOf(commandId)
      expect(found.finishedAt).not.toBeNull()
      return found
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  )
  attempts += command.attempts
  return command
}

it('are recorded once after the reconnect, and nothing is done twice', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const id = `round-${round}`
    const { body: managed } = await plane.put(hostId, id, uriOf(id))
    await plane.connection(hostId, id, ACTIVE, 60_000)
    expect(await ended(managed.commandId)).toMatchObject({ state: 'succeeded' })
    const before = witness.effects().length
    const { body } = await plane.rest.send('POST', `/api/v1/hosts/${hostId}/storage-connections/${id}/reset`)
    // acting: its umount is done, its mount takes a second
    if (isRoot) await eventually(() => expect(witness.effects().length).toBe(before + 1), { timeoutMs: 20_000 })
    await proxy.cut()
    expect((await commandOf(body.commandId)).finishedAt).toBeNull()
    await eventually(() => expect(host.log).toContain(`"commandId":"${body.commandId}"`), { timeoutMs: 10_000 })
    await eventually(async () => expect((await host.status()).queue).toMatchObject({ acting: 0, reporting: 1 }), {
      timeoutMs: 10_000,
      intervalMs: 100,
    })
    if (chance.next() < 0.3) {
      await host.kill()
      host.start()
    }
    await proxy.restore()
    expect(await ended(body.commandId)).toMatchObject({ state: 'succeeded' })
    if (isRoot) expect(witness.effects()).toHaveLength(before + 1)
    await plane.connection(hostId, id, ACTIVE, 60_000)
  }
})

it('leave an empty journal', async () => {
  await eventually(
    async () => expect((await host.status()).journal.entries).toEqual({ received: 0, started: 0, done: 0 }),
    { timeoutMs: 20_000, intervalMs: 200 },
  )
})
