import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { BalancingChecked } from '../../../wire/balancing/commands.js'
import type { LoadBalancerIntent } from '../../../wire/balancing/intent.js'
import { FaultError, faultOf } from '../../fault.js'
import type { Run } from '../../host/run.js'
import type { Logger } from '../../logger.js'
import type { VipPlaces } from '../../networks/vip-place.js'
import { Turns } from '../../turns.js'
import type { BalancerDriver, Sighting, WantedBalancer } from '../driver.js'
import { certificateFiles } from './haproxy/certificates.js'
import { Home } from './haproxy/home.js'
import { readHostFigures } from './haproxy/host-figures.js'
import { LiveBalancer } from './haproxy/live-balancer.js'
import { haproxyObstacle } from './haproxy/obstacle.js'
import { findMaster, judge, stop } from './haproxy/process.js'
import { renderHaproxy } from './haproxy/render.js'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export interface HaproxyNeeds {
  readonly stateDir: string
  readonly run: Run
  readonly places: VipPlaces
  readonly logger: Logger
  /** How long a member that has left may keep its connections; half an hour where nothing is said. */
  readonly leavingMs?: number
}

/**
 * HAProxy, one process for each balancer in a directory of its own (docs/adr/0047). The process belongs to nobody and outlives the
 * agent; what its files say is what it does, or is made to do at the next `apply`.
 */
export function createHaproxyDriver({ stateDir, run, places, logger, leavingMs }: HaproxyNeeds): BalancerDriver {
  const root = resolve(stateDir, 'haproxy')
  const turns = new Turns()
  const live = new Map<string, LiveBalancer>()
  const homeOf = (id: string) => new Home(join(root, id))
  const balancerOf = (id: string) => {
    const there = live.get(id) ?? new LiveBalancer(id, homeOf(id), { run, places, logger, leavingMs })
    live.set(id, there)
    return there
  }

  return {
    obstacle: haproxyObstacle(run),

    async apply({ balancer, keys }, signal) {
      const { config, files } = await rendered(balancer, keys)
      await turns.take(balancer.id, () => balancerOf(balancer.id).apply(balancer.vip, config, files, signal))
      return 'COMPLETED'
    },

    async progress() {
      return 'COMPLETED'
    },

    async remove(id, signal) {
      await turns.take(id, async () => {
        const home = homeOf(id)
        await stop(home.directory, signal)
        await places.remove(id)
        await home.remove()
        // of a check that was cut off: it has keys
        await new Home(join(root, `.check-${id}`)).remove()
        live.delete(id)
      })
      return 'COMPLETED'
    },

    check: ({ balancer, keys }) => turns.take(`check ${balancer.id}`, () => checked(balancer, keys)),

    async observe({ balancer }: WantedBalancer): Promise<Sighting | null> {
      const { directory } = homeOf(balancer.id)
      return turns.take(balancer.id, async () => {
        const isThere = (await homeOf(balancer.id).readConfig()) !== null
        if (!isThere && (await findMaster(directory)) === null) return null
        return balancerOf(balancer.id).observe(balancer)
      })
    },

    async list() {
      return (await readdir(root).catch(() => [])).filter((name) => UUID.test(name))
    },
  }

  /** In a directory that is of no balancer, so that nothing that is in force is touched. */
  async function checked(
    balancer: LoadBalancerIntent,
    keys: Readonly<Record<string, string>>,
  ): Promise<BalancingChecked> {
    const current = await homeOf(balancer.id).readConfig()
    const home = new Home(join(root, `.check-${balancer.id}`))
    let planned: string | null = null
    try {
      const { config, files } = await rendered(balancer, keys)
      planned = config
      await mkdir(root, { recursive: true, mode: 0o700 })
      await home.prepare(config, files)
      await judge(run, home.directory, home.candidate)
      return { accepted: true, words: '', current, planned }
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      return { accepted: false, words: faultOf(error).message, current, planned }
    } finally {
      await home.remove()
    }
  }
}

async function rendered(balancer: LoadBalancerIntent, keys: Readonly<Record<string, string>>) {
  const { files, crtLists } = certificateFiles(balancer, keys)
  return { config: renderHaproxy(balancer, crtLists, await readHostFigures()), files }
}
