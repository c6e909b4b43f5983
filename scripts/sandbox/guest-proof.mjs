import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { missingForGuests } from './libvirt.mjs'
import { tell } from './narrative.mjs'
import { processesOf } from './processes.mjs'
import { expectStatus } from './rest.mjs'

const MADE_MS = 120_000
const ABLE_MS = 60_000
/** Without KVM, the guest's kernel is emulated. */
const ACTIVE_MS = 120_000
const SETTLED_MS = 30_000
const NAME = 'quickstart'
const CONNECTION = 'quickstart-guests'
const minimalGuest = fileURLToPath(new URL('../minimal-guest.mjs', import.meta.url))

/** A guest that is asked for over REST, answers, and does what it is told; left out by name where it cannot be run. */
export async function proveGuests(sandbox, host) {
  const image = sandbox.libvirt ? await makeImage() : { lack: missingForGuests().join(', ') }
  if (image.lack) {
    if (process.env.CI === 'true' && process.getuid() === 0)
      throw new Error(`here everything must be shown: a guest needs ${image.lack}`)
    tell.plain(`\nLeft out: guests, for which this machine lacks ${image.lack}.`)
    return
  }
  const proof = new GuestProof(sandbox, host)
  await proof.clear()
  tell.chapter('Asked for over REST: a guest that answers')
  await proof.ask(image)
  await proof.say()
  await proof.letGo()
}

/** The smallest guest that is a real one. @returns its files, or what stands in the way */
async function makeImage() {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [minimalGuest], { timeout: MADE_MS })
    return JSON.parse(stdout)
  } catch (error) {
    return { lack: `what a minimal guest is made of (${lastLine(error.stderr || error.message)})` }
  }
}

const lastLine = (text) => text.trim().split('\n').at(-1)

class GuestProof {
  constructor(sandbox, host) {
    this.sandbox = sandbox
    this.hostPath = `/api/v1/hosts/${host.id}`
    this.connectionPath = `${this.hostPath}/storage-connections/${CONNECTION}`
  }

  /** What a killed quickstart left. */
  async clear() {
    for (const kind of ['guests', 'images']) {
      const { body } = await this.#get(`/api/v1/${kind}?name=${NAME}`)
      for (const { id } of body.items) await this.#remove(`/api/v1/${kind}/${id}`)
    }
  }

  async ask({ kernel, initrd }) {
    const directory = join(this.sandbox.places.proof, 'guests')
    mkdirSync(directory, { recursive: true })
    copyFileSync(kernel, join(directory, 'vmlinuz'))
    copyFileSync(initrd, join(directory, 'initrd'))
    const kinds = await this.#until('the host has found out how it can run guests', ABLE_MS, async () => {
      const { capabilities, lacks } = (await this.#get(this.hostPath)).body
      if (capabilities.includes('hypervisor:libvirt'))
        return capabilities.filter((one) => one.startsWith('hypervisor:'))
      throw new Error(lacks.find(({ capability }) => capability === 'hypervisor:libvirt')?.message)
    })
    tell.done(`this machine can run guests: ${kinds.join(', ')}`)
    await this.sandbox.rest.put(this.connectionPath, { uri: `local://${encodeURI(directory)}` })
    await this.#until(`${CONNECTION} is up`, SETTLED_MS, async () => {
      const { body } = await this.#get(this.connectionPath)
      if (body.operatingStatus !== 'UP') throw new Error(`it is ${body.operatingStatus}`)
      return true
    })
    const files = ['kernel', 'initrd'].map((role) => ({ role, path: role === 'kernel' ? 'vmlinuz' : role }))
    const image = {
      name: NAME,
      format: 'kernel',
      connectionId: CONNECTION,
      files,
      hasAgent: true,
      commandLine: 'console=ttyS0 quiet',
    }
    this.imagePath = `/api/v1/images/${(await this.#post('/api/v1/images', image, 201)).id}`
    const wanted = {
      name: NAME,
      imageId: this.imagePath.split('/').at(-1),
      vcpus: 1,
      memoryMiB: 128,
      bootTimeoutMs: ACTIVE_MS,
      prepare: { commands: [{ argv: ['hostname', NAME] }] },
    }
    const { id, step } = await this.#post('/api/v1/guests', wanted, 202)
    this.path = `/api/v1/guests/${id}`
    tell.done(`POST /api/v1/guests → 202, at step ${step}`)
    const guest = await this.#until('the guest is ACTIVE', ACTIVE_MS + SETTLED_MS, async () => {
      const { body } = await this.#get(this.path)
      if (body.provisioningStatus === 'ERROR') this.sandbox.end(new Error(`${body.fault.type}: ${body.fault.message}`))
      if (body.provisioningStatus === 'ACTIVE') return body
      throw new Error(`it is at step ${body.step}`)
    })
    tell.done(`it is ACTIVE: it has answered a ping of boot ${guest.bootId}, and was prepared, once`)
  }

  async say() {
    const { id } = await this.#post(`${this.path}/messages`, { commands: [{ argv: ['uname', '-nrm'] }] }, 202)
    const { output } = await this.#until('the message is done', SETTLED_MS, async () => {
      const { body } = await this.#get(`${this.path}/messages`)
      const message = body.items.find((one) => one.id === id)
      if (message.state === 'succeeded') return message
      throw new Error(`it is ${message.state}, and waits for ${message.waitingFor}`)
    })
    tell.done('told to say who it is, it answers')
    tell.seen(output.trim())
  }

  async letGo() {
    await this.#remove(this.path)
    await this.#remove(this.imagePath)
    await this.#remove(this.connectionPath)
    const left = processesOf('qemu-system', this.sandbox.places.root)
    if (left.length > 0) throw new Error(`QEMU still runs: ${left.join(', ')}`)
    tell.done('removed, with its machine and its image')
  }

  #until(what, timeoutMs, look) {
    return this.sandbox.waitFor(what, look, timeoutMs)
  }

  async #get(path) {
    return expectStatus(await this.sandbox.rest.get(path), 200, `GET ${path}`)
  }

  async #post(path, body, status) {
    return expectStatus(await this.sandbox.rest.post(path, body), status, `POST ${path}`).body
  }

  /** @returns when nothing of it is left */
  async #remove(path) {
    await this.sandbox.rest.delete(path)
    await this.#until(`${path} is gone`, SETTLED_MS, async () => {
      const { status, body } = await this.sandbox.rest.get(path)
      if (status === 404) return true
      throw new Error(`it is ${body.provisioningStatus ?? 'there'}`)
    })
  }
}
