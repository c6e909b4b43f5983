import { mkdir } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { writeIdentity } from '../../src/agent/identity.js'
import { StorageState } from '../../src/agent/storage/state.js'
import { testAuthority } from '../support/authority.js'
import { eventually } from '../support/eventually.js'
import { keelson, type TestProcess } from '../support/process.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'
import { type VerbReply, verb, verbsSocket } from './support/xmlrpc.js'

const START_MS = 60_000

/** Agents in processes of their own, one after the other, on one state directory; no engine is there. */
class MortalAgent {
  private process: TestProcess | null = null

  private constructor(readonly stateDir: string) {}

  static async start(): Promise<MortalAgent> {
    const stateDir = join(await temporaryDirectory(), 'state')
    await mkdir(stateDir, { mode: 0o700 })
    await writeIdentity(stateDir, await (await testAuthority()).identityOf('mortal'))
    const agent = new MortalAgent(stateDir)
    whenTestEnds(() => agent.kill())
    await agent.live()
    return agent
  }

  /** Ready when it answers. */
  async live(): Promise<void> {
    const env = { KEELSON_STATE_DIR: this.stateDir, KEELSON_ENGINES: '127.0.0.1:1', KEELSON_LOG_LEVEL: 'warn' }
    this.process = keelson(['agent'], { env })
    await eventually(() => this.list(), { timeoutMs: START_MS })
  }

  async kill(): Promise<void> {
    await this.process?.kill()
    this.process = null
  }

  manage(id: string): Promise<VerbReply> {
    return verb(this.stateDir, 'manageStorageServer', uriOf(id), id)
  }

  async list(): Promise<Record<string, string>> {
    const { connections = {} } = await verb(this.stateDir, 'getStorageServerList')
    const own = Object.entries(connections).filter(([, { origin }]) => origin === 'host')
    return Object.fromEntries(own.map(([id, { connectionInfo }]) => [id, String(connectionInfo.uri)]))
  }

  async onDisk(): Promise<string[]> {
    return [...(await StorageState.load(this.stateDir)).connections.keys()]
  }
}

const uriOf = (id: string) => `local:///srv/of/${id}`

describe('an id that a program of the host asked for', () => {
  it('is there after a kill -9, if it was answered, and whole, if it was not', async () => {
    const agent = await MortalAgent.start()
    const answered = new Set<string>()
    const asked: string[] = []
    for (const killedAfter of [1, 7, 15]) {
      const ids = Array.from({ length: 20 }, (_, n) => `after-${killedAfter}-${n}`)
      asked.push(...ids)
      const count = answered.size
      const replies = ids.map(async (id) => {
        const { status } = await agent.manage(id)
        expect(status.code).toBe(0)
        answered.add(id)
      })
      await eventually(() => expect(answered.size - count).toBeGreaterThanOrEqual(killedAfter), { intervalMs: 1 })
      await agent.kill()
      await Promise.allSettled(replies)
      await agent.live()
      const held = await agent.list()
      expect(Object.keys(held)).toEqual(expect.arrayContaining([...answered]))
      for (const [id, uri] of Object.entries(held))
        expect([asked, uri]).toEqual([expect.arrayContaining([id]), uriOf(id)])
    }
  }, 240_000)

  it('is there when the agent was killed between the disk and the reply, and saying it again is a success', async () => {
    const agent = await MortalAgent.start()
    // nobody reads the reply
    const sent = request({
      socketPath: verbsSocket(agent.stateDir),
      path: '/RPC2',
      method: 'POST',
      headers: { 'content-type': 'text/xml' },
    })
    sent.on('error', () => undefined)
    const params = [uriOf('unheard'), 'unheard'].map((text) => `<param><value>${text}</value></param>`).join('')
    sent.end(`<methodCall><methodName>manageStorageServer</methodName><params>${params}</params></methodCall>`)
    await eventually(async () => expect(await agent.onDisk()).toEqual(['host/unheard']), {
      timeoutMs: 15_000,
      intervalMs: 1,
    })
    await agent.kill()
    await agent.live()
    expect(await agent.list()).toEqual({ unheard: uriOf('unheard') })
    expect((await agent.manage('unheard')).status.code).toBe(0)
    expect((await verb(agent.stateDir, 'unmanageStorageServer', 'unheard')).status.code).toBe(0)
    await agent.kill()
    await agent.live()
    expect(await agent.list()).toEqual({})
  }, 240_000)
})
