import { access, mkdir, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { BalancingChecked } from '../../../wire/balancing/commands.js'
import { UUID } from '../../../wire/session.js'
import { FaultError, makeFault } from '../../fault.js'
import { missingOf } from '../../host/needs.js'
import type { Run } from '../../host/run.js'
import type { Logger } from '../../logger.js'
import type { VipPlaces } from '../../networks/vip-place.js'
import type { BalancerDriver } from '../driver.js'
import { NginxBalancer } from './nginx/balancer.js'
import { Judgement } from './nginx/judgement.js'
import { planOf, prepare } from './nginx/prepared.js'
import { renderNginx } from './nginx/render.js'

export interface NginxDriverOptions {
  /** What it keeps is below `nginx` in it. */
  readonly stateDir: string
  readonly run: Run
  readonly places: VipPlaces
  readonly logger: Logger
  /** The built script of the checker, for who runs this from its sources. */
  readonly checkerScript?: string
}

export interface NginxDriver extends BalancerDriver {
  /** Looks after its balancers no longer; they go on as they are. */
  close(): Promise<void>
}

/** Where distributions put it: Debian, Fedora. */
const streamModules = ['/usr/lib/nginx/modules/ngx_stream_module.so', '/usr/lib64/nginx/modules/ngx_stream_module.so']
const needs = { programs: { nginx: 'nginx-light', env: 'coreutils' } }

/** An nginx of its own for each balancer, which outlives the agent; its members are checked by the agent (docs/adr/0048). */
export function createNginxDriver(options: NginxDriverOptions): NginxDriver {
  const root = join(options.stateDir, 'nginx')
  const balancers = new Map<string, NginxBalancer>()
  const judgement = new Judgement(join(root, '.check'), options.run)

  async function balancerOf(id: string): Promise<NginxBalancer> {
    const known = balancers.get(id)
    if (known !== undefined) return known
    await mkdir(root, { recursive: true, mode: 0o700 })
    const directory = join(await realpath(root), id)
    const made = new NginxBalancer({
      ...options,
      id,
      directory,
      streamModule: (await streamModule()) ?? streamModules[0]!,
    })
    // somebody may have been quicker
    const kept = balancers.get(id) ?? made
    balancers.set(id, kept)
    return kept
  }

  return {
    async obstacle() {
      const missing = await missingOf(needs, options.run)
      if (missing !== null) return makeFault('balancing.missing-tool', missing)
      if ((await streamModule()) !== null) return null
      return makeFault('balancing.missing-tool', 'nginx has no stream module (Debian: libnginx-mod-stream)')
    },

    async apply(wanted, signal) {
      const prepared = prepare(wanted)
      const balancer = await balancerOf(wanted.balancer.id)
      await balancer.apply(wanted, prepared, signal)
      return 'COMPLETED'
    },

    progress: () => Promise.resolve('COMPLETED'),

    async remove(balancerId) {
      const balancer = await balancerOf(balancerId)
      await balancer.remove()
      balancers.delete(balancerId)
      return 'COMPLETED'
    },

    async check(wanted): Promise<BalancingChecked> {
      const balancer = await balancerOf(wanted.balancer.id)
      const current = await balancer.control.current()
      try {
        const prepared = prepare(wanted)
        const seenWell = await balancer.seenWellFor(wanted.balancer)
        const planned = renderNginx(planOf(balancer.options, wanted.balancer, prepared.certificates, seenWell))
        const words = await judgement.of(wanted, prepared, balancer.options.streamModule)
        return {
          accepted: words === null,
          words: words ?? '',
          current,
          planned,
        }
      } catch (error) {
        if (!(error instanceof FaultError)) throw error
        return { accepted: false, words: error.message, current, planned: null }
      }
    },

    async observe({ balancer: { id } }) {
      return (await balancerOf(id)).observe()
    },

    async list() {
      const names = await readdir(root).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
        throw error
      })
      return names.filter((name) => UUID.test(name))
    },

    async close() {
      await Promise.all([...balancers.values()].map((balancer) => balancer.close()))
      balancers.clear()
    },
  }
}

async function streamModule(): Promise<string | null> {
  for (const path of streamModules) {
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    ) {
      return path
    }
  }
  return null
}
