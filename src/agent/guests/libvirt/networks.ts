import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuestIntent } from '../../../wire/guests/intent.js'
import type { NetworkIntent } from '../../../wire/networks.js'
import type { Run } from '../../host/run.js'
import { bridgeLines, leftBridgeLines } from '../../networks/bridge.js'
import { Ip } from '../../networks/ip.js'
import { Turns } from '../../turns.js'

type Bridged = NetworkIntent & { readonly bridge: string }
const NAME = 'guests'

/** The bridges that guests are on: made before a guest starts, and gone when nothing is on them any more. */
export class GuestNetworks {
  private readonly ip: Ip
  private readonly directory: string
  private readonly turns = new Turns()

  constructor(run: Run, stateDir: string) {
    this.directory = join(stateDir, 'networks')
    this.ip = new Ip(run, this.directory)
  }

  async ensure({ nics }: GuestIntent): Promise<void> {
    for (const { network } of nics) {
      const { bridge } = network
      if (bridge !== null) await this.change(() => bridgeLines({ ...network, bridge } satisfies Bridged))
    }
  }

  async left(bridges: readonly string[]): Promise<void> {
    for (const bridge of bridges) await this.change(() => leftBridgeLines(bridge))
  }

  private change(linesOf: () => Promise<string[]>): Promise<void> {
    return this.turns.take(NAME, async () => {
      const lines = await linesOf()
      if (lines.length === 0) return
      await mkdir(this.directory, { recursive: true, mode: 0o700 })
      await this.ip.batch({ name: NAME, lines })
    })
  }
}

/** In the definition of a domain. */
export const bridgesIn = (xml: string): string[] => [
  ...new Set([...xml.matchAll(/<source bridge='([^']+)'/g)].map(([, bridge]) => bridge!)),
]
