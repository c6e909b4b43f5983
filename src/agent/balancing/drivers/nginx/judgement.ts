import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Run } from '../../../host/run.js'
import type { WantedBalancer } from '../../driver.js'
import { NginxControl } from './control.js'
import { writeKeys } from './key-files.js'
import { type Prepared, planOf } from './prepared.js'
import { renderNginx } from './render.js'
import { allMembers } from './servers.js'

/** Where a text is judged: nothing is opened there, and the VIP need not be on this host. */
const LOOPBACK = '127.0.0.1'

/** Asks nginx about balancers apart from those that there are. */
export class Judgement {
  private swept: Promise<void> | null = null

  constructor(
    private readonly root: string,
    private readonly run: Run,
  ) {}

  /** What nginx says against it, with all of its members up: null: nothing. */
  async of(
    { balancer, keys }: WantedBalancer,
    { certificates }: Prepared,
    streamModule: string,
  ): Promise<string | null> {
    // what an agent left that died in the middle
    this.swept ??= rm(this.root, { recursive: true, force: true })
    await this.swept
    await mkdir(this.root, { recursive: true, mode: 0o700 })
    const directory = await mkdtemp(join(this.root, 'one-'))
    try {
      await mkdir(join(directory, 'temporary'), { mode: 0o700 })
      await writeKeys(directory, balancer, certificates, keys)
      const plan = planOf({ directory, streamModule }, balancer, certificates, allMembers(balancer))
      const text = renderNginx({ ...plan, listenAddress: LOOPBACK })
      return await new NginxControl(directory, this.run).judge(text, { namespace: null, enter: [] })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
}
