import { eventually } from '../../support/eventually.js'
import type { Plane } from '../../trial/support/plane.js'
import type { Body, Reply } from '../../trial/support/rest.js'
import { START_MS, type VirtualHost } from './virtual-host.js'

const PATIENCE_MS = 60_000

export interface Wanted {
  readonly uri: string
  readonly options?: Readonly<Record<string, string>>
  readonly credentials?: Readonly<Record<string, string>>
}

/** The storage connections of one host, over REST. */
export class Connections {
  private constructor(
    private readonly plane: Plane,
    readonly hostId: string,
  ) {}

  /** Of a host that joins now. */
  static async of(plane: Plane, host: VirtualHost): Promise<Connections> {
    await host.joinAndStartAgent(await plane.joinToken())
    return new Connections(plane, (await plane.hostUp(host.name, START_MS)).id)
  }

  put(id: string, wanted: Wanted, headers: Record<string, string> = {}): Promise<Reply> {
    return this.plane.rest.send('PUT', this.path(id), wanted, headers)
  }

  get(id: string): Promise<Reply> {
    return this.plane.rest.get(this.path(id))
  }

  delete(id: string): Promise<Reply> {
    return this.plane.delete(this.hostId, id)
  }

  /** Its row, once it is as expected. */
  shows(id: string, expected: object, timeoutMs = PATIENCE_MS): Promise<Body> {
    return this.plane.connection(this.hostId, id, expected, timeoutMs)
  }

  async up(id: string, timeoutMs?: number): Promise<Body> {
    return this.shows(id, { provisioningStatus: 'ACTIVE', operatingStatus: 'UP', connected: true }, timeoutMs)
  }

  /** Managed, and seen up. */
  async hold(id: string, wanted: Wanted): Promise<void> {
    expect(await this.put(id, wanted)).toMatchObject({ status: 202 })
    await this.up(id)
  }

  /** Unmanaged, and off the list. */
  async release(...ids: readonly string[]): Promise<void> {
    for (const id of ids) expect(await this.delete(id)).toMatchObject({ status: 202 })
    await Promise.all(ids.map((id) => this.gone(id)))
  }

  gone(id: string): Promise<void> {
    return eventually(async () => expect((await this.get(id)).status).toBe(404), {
      timeoutMs: PATIENCE_MS,
      intervalMs: 100,
    })
  }

  /** What is held once nothing is pending any more. */
  settled(): Promise<string[]> {
    return eventually(
      async () => {
        // what the guest has mounted of itself is not the plane's
        const items = await this.plane.rest.all(`/api/v1/hosts/${this.hostId}/storage-connections?origin=plane`)
        expect(items.filter(({ provisioningStatus }) => provisioningStatus !== 'ACTIVE')).toEqual([])
        return items.map(({ connectionId }) => connectionId as string)
      },
      { timeoutMs: PATIENCE_MS, intervalMs: 200 },
    )
  }

  private path(id: string): string {
    return `/api/v1/hosts/${this.hostId}/storage-connections/${id}`
  }
}
