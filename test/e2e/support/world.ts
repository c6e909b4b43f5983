import { selfSigned } from '../../support/certificate.js'
import { Ground } from '../../trial/support/ground.js'
import { Plane } from '../../trial/support/plane.js'
import { mountsBelow, processesOf } from '../../trial/support/sweep.js'
import { findImage, type Image } from './image.js'
import { OUTSIDE, VirtualHost } from './virtual-host.js'

interface Stops {
  stop(): Promise<void>
}

/** What a test of virtual hosts plays with, ended together: at the end nothing of it may be left. */
export class World {
  readonly ground = new Ground()
  private readonly parts: Stops[] = []

  private constructor(private readonly image: Image) {}

  static async make(): Promise<World> {
    return new World(await findImage())
  }

  /** An engine that guests reach as `OUTSIDE`, by a certificate that join tokens name. */
  async plane(): Promise<Plane> {
    return this.with(await Plane.start(this.ground, { elsewhere: { host: OUTSIDE, ...selfSigned } }))
  }

  /** What most tests begin with; the host has not joined yet. */
  planeAndHost(): Promise<[Plane, VirtualHost]> {
    return Promise.all([this.plane(), this.host('h1')])
  }

  async host(name: string): Promise<VirtualHost> {
    const host = this.with(new VirtualHost(this.ground, this.image, name))
    await host.start()
    return host
  }

  with<S extends Stops>(part: S): S {
    this.parts.unshift(part)
    return part
  }

  async end(): Promise<void> {
    try {
      for (const part of this.parts) await part.stop()
      const left = { processes: processesOf(this.ground.directory), mounts: mountsBelow(this.ground.directory) }
      expect(left).toEqual({ processes: [], mounts: [] })
    } finally {
      this.ground.clear()
    }
  }
}
