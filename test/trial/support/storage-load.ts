import { execFileSync } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import type { Ground } from './ground.js'
import type { Plane } from './plane.js'
import type { Reply } from './rest.js'
import type { Chance } from './scale.js'

const IMAGE_BYTES = 8 * 1024 * 1024
const SOURCES = 4
const isRoot = process.getuid?.() === 0

/** Connections of one kind that the load asks for, changes and gives up. */
interface Family {
  readonly ids: readonly string[]
  readonly uris: readonly string[]
}

/** As busy people: so many requests a second that ask for storage, change it, reset it and give it up. */
export class StorageLoad {
  /** Ids of commands that were accepted: 202 and a name. */
  readonly accepted = new Set<string>()
  readonly statuses = new Map<number, number>()
  /** These are there from the beginning to the end, and only ever reset. */
  readonly steady: Family
  private readonly changing: readonly Family[]
  private timer: NodeJS.Timeout | null = null
  private readonly underWay = new Set<Promise<void>>()

  constructor(
    ground: Ground,
    private readonly plane: Plane,
    private readonly hostId: string,
    private readonly chance: Chance,
  ) {
    const directories = (kind: string) => upTo(SOURCES).map((n) => ground.makeDirectory('srv', `${kind}-${n}`))
    const local = { ids: named('local', 20), uris: directories('local').map((path) => `local://${path}`) }
    const bound = { ids: named('bound', 10), uris: directories('bound').map(bindOf) }
    const images = { ids: named('image', 4), uris: upTo(3).map((n) => imageOf(ground, n)) }
    this.changing = isRoot ? [local, bound, images] : [local]
    this.steady = isRoot ? { ids: named('steady', SOURCES), uris: directories('steady').map(bindOf) } : local
  }

  async prepare(): Promise<void> {
    for (const [index, id] of this.steady.ids.entries()) {
      const { status, body } = await this.plane.put(
        this.hostId,
        id,
        this.steady.uris[index % this.steady.uris.length] ?? '',
      )
      if (status !== 202) throw new Error(`${id} was answered ${status}`)
      this.accepted.add(body.commandId)
      await this.plane.connection(this.hostId, id, { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' })
    }
  }

  start(perSecond: number): void {
    this.timer = setInterval(() => {
      const asking = this.ask().finally(() => this.underWay.delete(asking))
      this.underWay.add(asking)
    }, 1000 / perSecond)
  }

  async stop(): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    await Promise.all(this.underWay)
  }

  private async ask(): Promise<void> {
    const { status, body } = await this.choose()
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    if (status === 202) this.accepted.add(body.commandId)
  }

  private choose(): Promise<Reply> {
    const { plane, hostId, chance } = this
    const dice = chance.next()
    if (dice < 0.15) return plane.rest.send('POST', `${this.path(chance.pick(this.steady.ids))}/reset`)
    const family = chance.pick(this.changing)
    const id = chance.pick(family.ids)
    if (dice < 0.4) return plane.delete(hostId, id)
    return this.put(id, chance.pick(family.uris))
  }

  /** As a user who insists: what is there already is changed, pending or not. */
  private async put(id: string, uri: string): Promise<Reply> {
    const reply = await this.plane.put(this.hostId, id, uri)
    if (reply.status !== 409) return reply
    return this.plane.put(this.hostId, id, uri, { 'if-match': '*', prefer: 'coalesce' })
  }

  private path(id: string): string {
    return `/api/v1/hosts/${this.hostId}/storage-connections/${id}`
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
const named = (prefix: string, count: number): string[] => upTo(count).map((n) => `${prefix}-${n}`)
const bindOf = (path: string): string => `posix://${path}?fstype=bind`

function imageOf(ground: Ground, n: number): string {
  const file = ground.path('srv', `image-${n}.img`)
  ground.makeDirectory('srv')
  writeFileSync(file, '')
  truncateSync(file, IMAGE_BYTES)
  if (isRoot) execFileSync('mkfs.ext4', ['-q', '-F', file])
  return `posix://${file}?fstype=ext4`
}
