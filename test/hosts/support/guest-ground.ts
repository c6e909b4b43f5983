import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { domainName } from '../../../src/agent/guests/libvirt/domain-xml.js'
import { GuestAgent } from '../../../src/agent/guests/libvirt/guest-agent.js'
import { Virsh } from '../../../src/agent/guests/libvirt/virsh.js'
import { run } from '../../../src/agent/host/run.js'
import { eventually } from '../../support/eventually.js'
import { Ground } from '../../trial/support/ground.js'
import { Plane } from '../../trial/support/plane.js'
import { RealHost } from '../../trial/support/real-host.js'
import type { Body } from '../../trial/support/rest.js'
import { minimalGuest } from './minimal-guest.js'
import { SessionLibvirt } from './session-libvirt.js'

export const CONNECTION = 'guests'
export const guestsPath = '/api/v1/guests'
const guestPath = (id: string): string => `${guestsPath}/${id}`
const never = new AbortController().signal
/** A host with a libvirt that has just been started has tried both kinds of machine by then. */
const ABLE_MS = 120_000
/** In which a minimal guest answers, on a machine that has others to run. */
export const ANSWERS_MS = 180_000
const LOOK_MS = 50

/** A plane, this machine as a host of its with a libvirt of its own, and the minimal guest as an image there. */
export class GuestGround {
  readonly ground = new Ground()
  readonly storage = this.ground.makeDirectory('storage')
  plane!: Plane
  host!: RealHost
  libvirt!: SessionLibvirt
  hostId!: string
  private readonly images = new Map<string, string>()
  private count = 0

  static async start(): Promise<GuestGround> {
    const tried = new GuestGround()
    try {
      await tried.begin()
      return tried
    } catch (error) {
      await tried.end()
      throw error
    }
  }

  /** @param how as its init reads it of its command line: `dead`, `late:20`, … */
  async create({ how, ...more }: { readonly how?: string } & Record<string, unknown> = {}): Promise<Body> {
    const { status, body } = await this.request({ ...more, imageId: await this.image(how) })
    if (status !== 202) throw new Error(`no guest: ${status} ${JSON.stringify(body)}`)
    return body
  }

  /** What an engine that is killed has stored may have no answer. */
  request(more: object) {
    this.count += 1
    const guest = { name: `guest-${this.count}`, vcpus: 1, memoryMiB: 128, bootTimeoutMs: ANSWERS_MS }
    return this.plane.rest.send('POST', guestsPath, { ...guest, restartPolicy: 'never', ...more })
  }

  /** The id of the image whose guests behave like this. */
  async image(how = ''): Promise<string> {
    const known = this.images.get(how)
    if (known) return known
    const words = how === '' ? '' : ` guest.how=${how}`
    const { status, body } = await this.plane.rest.send('POST', '/api/v1/images', {
      name: `minimal${words}`,
      format: 'kernel',
      connectionId: CONNECTION,
      hasAgent: true,
      commandLine: `console=ttyS0 quiet${words}`,
      files: [
        { role: 'kernel', path: 'vmlinuz' },
        { role: 'initrd', path: 'initrd' },
      ],
    })
    if (status !== 201) throw new Error(`no image: ${status} ${JSON.stringify(body)}`)
    this.images.set(how, body.id)
    return body.id
  }

  async get(id: string): Promise<Body> {
    return (await this.plane.rest.get(guestPath(id))).body
  }

  /** The guest, once it is so. */
  until(id: string, wanted: object, timeoutMs = ANSWERS_MS): Promise<Body> {
    return eventually(
      async () => {
        const body = await this.get(id)
        expect(body).toMatchObject(wanted)
        return body
      },
      { timeoutMs, intervalMs: LOOK_MS },
    )
  }

  async active(id: string): Promise<Body> {
    const guest = await this.ended(id)
    expect(guest).toMatchObject({ provisioningStatus: 'ACTIVE', fault: null })
    return guest
  }

  /** Well or badly. */
  ended(id: string): Promise<Body> {
    return eventually(
      async () => {
        const guest = await this.get(id)
        expect(guest?.provisioningStatus).toMatch(/^(ACTIVE|ERROR)$/)
        return guest
      },
      { timeoutMs: ANSWERS_MS, intervalMs: LOOK_MS },
    )
  }

  messages(id: string): Promise<Body[]> {
    return this.plane.rest.all(`${guestPath(id)}/messages`)
  }

  async say(id: string, script: string, more: object = {}): Promise<string> {
    const { status, body } = await this.plane.rest.send('POST', `${guestPath(id)}/messages`, { ...sh(script), ...more })
    if (status !== 202) throw new Error(`no message: ${status} ${JSON.stringify(body)}`)
    return body.id
  }

  /** A message of a guest's, once it is so. */
  message(guestId: string, messageId: string, wanted: object): Promise<Body> {
    return eventually(
      async () => {
        const message = (await this.messages(guestId)).find(({ id }) => id === messageId)
        expect(message).toMatchObject(wanted)
        return message
      },
      { timeoutMs: ANSWERS_MS, intervalMs: LOOK_MS },
    )
  }

  delete(id: string) {
    return this.plane.rest.send('DELETE', guestPath(id))
  }

  async gone(id: string): Promise<void> {
    await this.delete(id)
    await eventually(async () => expect((await this.plane.rest.get(guestPath(id))).status).toBe(404), {
      timeoutMs: ANSWERS_MS,
      intervalMs: LOOK_MS,
    })
  }

  async removeAll(): Promise<void> {
    const guests = await this.plane.rest.all(guestsPath)
    await Promise.all(guests.map(({ id }) => this.gone(id)))
  }

  /** How often a guest has written this to its console. */
  written(id: string, what: string): number {
    const path = join(this.host.stateDir, 'libvirt', id, 'console.log')
    return existsSync(path) ? readFileSync(path, 'latin1').split(what).length - 1 : 0
  }

  virsh(verb: string, id: string): Promise<string> {
    return this.libvirt.virsh(verb, domainName(id))
  }

  /** What a script prints in a guest, past the plane. */
  async inside(id: string, script: string): Promise<string> {
    const agent = new GuestAgent(new Virsh(run, this.libvirt.uri), id)
    return (await agent.exec(['/bin/sh', '-c', script], never)).output.trim()
  }

  pid(id: string): number {
    const pid = this.libvirt.pidOf(domainName(id))
    if (pid === null) throw new Error('its QEMU does not run')
    return pid
  }

  /** Of guests, on this host. */
  async leftovers(): Promise<string[]> {
    const below = (directory: string): string[] =>
      readdirSync(directory).flatMap((name) => {
        const path = join(directory, name)
        return statSync(path).isDirectory() ? below(path) : [path]
      })
    const isLasting = (path: string) => /\/(probed\.json|vmlinuz|initrd)$/.test(path)
    const files = [join(this.host.stateDir, 'libvirt'), this.storage].flatMap(below).filter((path) => !isLasting(path))
    const domains = (await this.libvirt.virsh('list', '--all', '--name')).split('\n').filter((name) => name !== '')
    const { holds } = await this.host.status()
    return [...files, ...domains, ...holds.guests]
  }

  async end(): Promise<void> {
    await this.host?.stop()
    await this.plane?.stop()
    await this.libvirt?.end()
    this.ground.clear()
  }

  private async begin(): Promise<void> {
    const { kernel, initrd } = minimalGuest()
    copyFileSync(kernel, join(this.storage, 'vmlinuz'))
    copyFileSync(initrd, join(this.storage, 'initrd'))
    const [plane, libvirt] = await Promise.all([Plane.start(this.ground), SessionLibvirt.start()])
    this.plane = plane
    this.libvirt = libvirt
    this.host = new RealHost(this.ground, plane, 'guests', { KEELSON_LIBVIRT_URI: libvirt.uri })
    this.host.start()
    this.hostId = await this.able('guests')
    await plane.put(this.hostId, CONNECTION, `local://${this.storage}`)
    await plane.connection(this.hostId, CONNECTION, { operatingStatus: 'UP' })
  }

  /** @returns the id of the host of this name, once it can have guests */
  async able(name: string): Promise<string> {
    const { id } = await this.plane.hostUp(name)
    await eventually(
      async () => {
        const { body } = await this.plane.rest.get(`/api/v1/hosts/${id}`)
        expect(body.capabilities).toContain('hypervisor:libvirt')
      },
      { timeoutMs: ABLE_MS, intervalMs: 200 },
    )
    return id
  }
}

export const sh = (...scripts: string[]): { commands: { argv: string[] }[] } => ({
  commands: scripts.map((script) => ({ argv: ['sh', '-c', script] })),
})

/** Rows of the plane's database, which nothing over REST shows. */
export function rowsOf(plane: Plane, table: string): number {
  const text = execFileSync('psql', [plane.embedded().url, '-Atc', `SELECT count(*) FROM ${table}`], {
    encoding: 'utf8',
  })
  return Number(text)
}
