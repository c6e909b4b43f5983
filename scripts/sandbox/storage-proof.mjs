import { unmount } from './mounts.mjs'
import { tell } from './narrative.mjs'
import { expectStatus } from './rest.mjs'
import { chooseStorage } from './storage-kinds.mjs'

const SETTLED_MS = 30_000
/** An agent looks at a target every ten seconds. */
const NOTICED_MS = 60_000
const IDS = { first: 'quickstart', second: 'quickstart-second' }

/** The main job on real storage: asked for over REST, held by the agent, through every kind of death, and let go. */
export async function proveStorage(sandbox, host) {
  const storage = chooseStorage(host, sandbox.places)
  if (storage.missing.length > 0)
    tell.plain(`Without ${storage.missing.join(' and ')}: ${storage.title} is what can be shown here.`)
  if (storage.missing.length > 0 && process.env.CI === 'true' && process.getuid() === 0) {
    throw new Error(`here everything must be shown: ${storage.missing.join(' and ')} is missing`)
  }
  const proof = new StorageProof(sandbox, host, storage)
  await proof.clear()
  tell.chapter(`Asked for over REST: ${storage.title}`)
  await proof.ask()
  tell.chapter(storage.mounted ? 'Unmounted behind the agent’s back' : 'Taken away, and brought back')
  await (storage.mounted ? proof.unmountBehindItsBack() : proof.takeAway())
  tell.chapter('kill -9 of the agent, and a change while it is dead')
  await proof.killAgent()
  tell.chapter('kill -9 of the engine')
  await proof.killEngine()
  tell.chapter('Let go')
  await proof.letGo()
}

class StorageProof {
  constructor(sandbox, host, storage) {
    this.sandbox = sandbox
    this.storage = storage
    this.base = `/api/v1/hosts/${host.id}/storage-connections`
  }

  /** What a killed quickstart left. */
  async clear() {
    for (const id of Object.values(IDS)) {
      const { status } = await this.sandbox.rest.get(`${this.base}/${id}`)
      if (status === 404) continue
      await this.sandbox.rest.delete(`${this.base}/${id}`)
      await this.gone(id)
    }
    this.storage.prepare()
  }

  async ask() {
    await this.put(IDS.first)
    const view = await this.becomes(IDS.first, 'UP')
    tell.done(`the agent holds it and sees it ${view.operatingStatus}`)
    tell.seen(`target ${view.target}`)
    this.showMount()
  }

  async unmountBehindItsBack() {
    const [before] = this.storage.mounts()
    unmount(before.point)
    tell.done(`umount ${before.point}`)
    if (this.storage.mounts().length > 0) throw new Error('it was unmounted, and is still there')
    await this.sandbox.waitFor('the agent mounts it again', () => this.storage.mounts()[0], NOTICED_MS)
    await this.becomes(IDS.first, 'UP')
    tell.done('nobody asked, and it is back')
    this.showMount()
  }

  async takeAway() {
    this.storage.takeAway()
    const { lastError } = await this.becomes(IDS.first, 'DOWN')
    tell.done('the agent sees it DOWN, and says why')
    tell.seen(lastError?.message ?? 'no reason was given')
    this.storage.bringBack()
    await this.becomes(IDS.first, 'UP')
    tell.done('brought back, it is UP again: nobody asked')
  }

  async killAgent() {
    const before = this.storage.mounts().map(({ id }) => id)
    const { pid } = this.sandbox.agent
    await this.sandbox.agent.kill()
    tell.done(`kill -9 ${pid}`)
    await this.sandbox.waitFor(
      'the host is NonResponsive',
      async () => (await this.sandbox.host()).status === 'NonResponsive' || undefined,
      SETTLED_MS,
    )
    tell.done('the engine shows the host NonResponsive; what it holds stays')
    await this.put(IDS.second)
    await this.sandbox.startAgent()
    await this.becomes(IDS.second, 'UP')
    await this.becomes(IDS.first, 'UP')
    this.requireSameMounts(before)
    tell.done('the agent is back, took on what was asked meanwhile, and mounted nothing twice')
  }

  async killEngine() {
    const before = this.storage.mounts().map(({ id }) => id)
    const { pid } = this.sandbox.engine
    await this.sandbox.engine.kill()
    tell.done(`kill -9 ${pid}`)
    this.requireSameMounts(before)
    await this.sandbox.startEngine()
    tell.done('the engine is back, with every row that it had accepted')
    await this.becomes(IDS.first, 'UP')
    this.requireSameMounts(before)
  }

  async letGo() {
    await this.delete(IDS.second)
    await this.gone(IDS.second)
    await this.becomes(IDS.first, 'UP')
    if (this.storage.mounted && this.storage.mounts().length !== 1)
      throw new Error('the target went with one of its two ids')
    tell.done(`${IDS.second} is gone; ${IDS.first} still holds the same target`)
    await this.delete(IDS.first)
    await this.gone(IDS.first)
    await this.sandbox.waitFor('the mount is gone', () => this.storage.mounts().length === 0 || undefined, SETTLED_MS)
    tell.done(this.storage.mounted ? 'both are gone, and so is the mount' : 'both are gone')
  }

  async put(id) {
    const path = `${this.base}/${id}`
    const reply = expectStatus(await this.sandbox.rest.put(path, { uri: this.storage.uri }), 202, `PUT ${path}`)
    tell.done(`PUT ${path} → 202 ${reply.body.provisioningStatus}`)
    tell.seen(JSON.stringify({ uri: this.storage.uri }))
  }

  async delete(id) {
    const path = `${this.base}/${id}`
    const reply = expectStatus(await this.sandbox.rest.delete(path), 202, `DELETE ${path}`)
    tell.done(`DELETE ${path} → 202 ${reply.body.provisioningStatus}`)
  }

  becomes(id, operatingStatus) {
    return this.sandbox.waitFor(
      `${id} is ${operatingStatus}`,
      async () => {
        const { body } = expectStatus(await this.sandbox.rest.get(`${this.base}/${id}`), 200, `GET ${this.base}/${id}`)
        if (body.provisioningStatus === 'ACTIVE' && body.operatingStatus === operatingStatus) return body
        const why = body.fault ?? body.lastError
        throw new Error(`it is ${body.provisioningStatus} and ${body.operatingStatus}${why ? `: ${why.message}` : ''}`)
      },
      NOTICED_MS,
    )
  }

  gone(id) {
    return this.sandbox.waitFor(
      `${id} is gone`,
      async () => {
        const { status, body } = await this.sandbox.rest.get(`${this.base}/${id}`)
        if (status === 404) return true
        throw new Error(`it is ${body.provisioningStatus} and ${body.operatingStatus}`)
      },
      SETTLED_MS,
    )
  }

  showMount() {
    for (const { line } of this.storage.mounts()) tell.seen(line)
  }

  requireSameMounts(before) {
    const now = this.storage.mounts().map(({ id }) => id)
    if (String(now) !== String(before))
      throw new Error(`the mounts are ${now.join(', ') || 'gone'}, they were ${before.join(', ')}`)
  }
}
