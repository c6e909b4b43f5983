import type { VipIntent } from '../../wire/balancing/intent.js'
import type { NetworkIntent } from '../../wire/networks.js'
import { FaultError } from '../fault.js'
import { type Run, wordsOf } from '../host/run.js'
import { Pause } from '../pause.js'
import { Turns } from '../turns.js'
import { bridgeLines, leftBridgeLines } from './bridge.js'
import { aliasesOf, hasNamespace, readInterface } from './interfaces.js'
import { type Ip, withPrefix } from './ip.js'
import { type Inside, readInside } from './namespace.js'

const SYSCTL_MS = 5_000
const ALIAS = 'keelson:'
/** The inner end of the pair, in every namespace. */
const INNER = 'vip'
const HOST = 'host'
const ASK_EVERY_MS = 200

export interface ProbeOptions {
  /** How long an answer of who else has the address is waited for, each time. */
  readonly probeMs: number
  /** How long whoever has it is given to let it go: a balancer may just be moving here. */
  readonly patienceMs: number
}

export type BridgedVip = VipIntent & { readonly network: NetworkIntent & { readonly bridge: string } }

/**
 * VIPs on a bridge: each in a namespace of its own, joined to the bridge by a veth pair. The name of the namespace and of the
 * pair's outer end is the place's; the outer end's alias says whose it is.
 *
 * Done in this order, each look finds what a crash has left undone: the VIP comes last, and comes only to a namespace that is
 * otherwise complete.
 */
export class BridgedPlaces {
  /** What changes the host itself is done by one at a time: a bridge must not go while another place joins it. */
  private readonly turns = new Turns()
  private life = ''

  constructor(
    private readonly run: Run,
    private readonly ip: Ip,
    private readonly probing: ProbeOptions,
  ) {}

  async ensure(name: string, id: string, vip: BridgedVip): Promise<void> {
    await this.turns.take(HOST, () => this.join(name, id, vip.network))
    const inside = await readInside(this.ip, name, vip.address)
    const { address, network } = vip
    const wanted = withPrefix(address, network.cidr)
    if (inside.refused.includes(wanted)) {
      // tried anew the next time
      await this.ip.batch({ name, namespace: name, lines: [`addr del ${wanted} dev ${INNER}`] })
      throw new FaultError('address-in-use', `somebody else on the network has ${address}`)
    }
    const isThere = inside.addresses.includes(wanted)
    if (isThere && isComplete(inside, vip)) return
    await this.prepare(name)
    await this.ip.batch({ name, namespace: name, lines: ['link set lo up', `link set ${INNER} up`] })
    if (!isThere) await this.untilNobodyHas(name, address)
    await this.ip.batch({
      name,
      namespace: name,
      lines: [
        ...inside.addresses.filter((one) => one !== wanted).map((one) => `addr del ${one} dev ${INNER}`),
        `addr replace ${wanted} dev ${INNER}${this.life}${address.includes(':') ? ' optimistic' : ''}`,
        // by this the kernel tells everybody on the network where its addresses are now
        `link set ${INNER} address ${inside.mac}`,
        ...(network.gateway === null ? [] : [`route replace default via ${network.gateway} dev ${INNER}`]),
      ],
    })
  }

  /** The kernel counts in seconds. */
  lastFor(lifeMs: number): void {
    const seconds = Math.ceil(lifeMs / 1_000)
    this.life = ` valid_lft ${seconds} preferred_lft ${seconds}`
  }

  /** In one process, so that it is no other than a moment ago that the address was found to be there. */
  async renew(name: string, { address, network }: BridgedVip): Promise<boolean> {
    if (!(await hasNamespace(name))) return false
    const wanted = withPrefix(address, network.cidr)
    const isSix = address.includes(':')
    // of IPv6 the kernel finds a way from any address
    if (isSix && !(await readInside(this.ip, name, address)).addresses.includes(wanted)) return false
    const ask = `route get ${address} from ${address}`
    const lines = [...(isSix ? [] : [ask]), `addr change ${wanted} dev ${INNER}${this.life}`]
    try {
      await this.ip.batch({ name, namespace: name, lines })
      return true
    } catch (error) {
      if (error instanceof FaultError && error.message.startsWith(`ip ${ask}:`)) return false
      throw error
    }
  }

  async takeDown(name: string): Promise<void> {
    if (!(await hasNamespace(name))) return
    // the link-local one stays: nobody is sent there
    await this.ip.change(
      ['-n', name, 'addr', 'flush', 'dev', INNER, 'scope', 'global'],
      /does not exist|Cannot find device/,
    )
  }

  /** @param bridge where the place was joined to, as far as is known: what is seen counts first */
  async remove(name: string, bridge: string | null): Promise<void> {
    await this.turns.take(HOST, async () => {
      const pair = await readInterface(name)
      const lines = [
        ...(pair ? [`link del ${name}`] : []),
        ...((await hasNamespace(name)) ? [`netns del ${name}`] : []),
      ]
      if (lines.length > 0) await this.ip.batch({ name, lines })
      const left = pair?.master ?? bridge
      const emptied = left === null ? [] : await leftBridgeLines(left)
      if (emptied.length > 0) await this.ip.batch({ name, lines: emptied })
    })
  }

  async ids(prefix: string): Promise<string[]> {
    const aliases = await aliasesOf(prefix)
    return aliases.filter((alias) => alias.startsWith(ALIAS)).map((alias) => alias.slice(ALIAS.length))
  }

  private async join(name: string, id: string, network: BridgedVip['network']): Promise<void> {
    const hasOne = await hasNamespace(name)
    const seen = await readInterface(name)
    // one that is left without a name is kept by a process, and leads nowhere
    const stale = seen !== null && !hasOne
    const pair = stale ? null : seen
    if (pair !== null && pair.alias !== '' && pair.alias !== `${ALIAS}${id}`)
      throw new FaultError('network', `${name} of this host is of ${pair.alias}`)
    const lines = [
      ...(await bridgeLines(network)),
      ...(stale ? [`link del ${name}`] : []),
      ...(hasOne ? [] : [`netns add ${name}`]),
      ...(pair ? [] : [`link add ${name} type veth peer name ${INNER} netns ${name}`]),
      ...(pair?.alias ? [] : [`link set ${name} alias ${ALIAS}${id}`]),
      ...(pair?.master === network.bridge ? [] : [`link set ${name} master ${network.bridge}`]),
      ...(pair?.up ? [] : [`link set ${name} up`]),
    ]
    if (lines.length > 0) await this.ip.batch({ name, lines })
  }

  /** Programs may listen on the VIP before it is there and after it is gone; the kernel announces it by itself. */
  private async prepare(name: string): Promise<void> {
    const settings = [
      'net.ipv4.ip_nonlocal_bind=1',
      'net.ipv6.ip_nonlocal_bind=1',
      `net.ipv4.conf.${INNER}.arp_notify=1`,
      `net.ipv6.conf.${INNER}.ndisc_notify=1`,
      `net.ipv6.conf.${INNER}.accept_ra=0`,
      // used at once, while the kernel asks whether somebody else has it
      `net.ipv6.conf.${INNER}.optimistic_dad=1`,
      `net.ipv6.conf.${INNER}.use_optimistic=1`,
    ]
    const args = ['netns', 'exec', name, 'sysctl', '-eqw', ...settings]
    const result = await this.run('ip', args, { deadlineMs: SYSCTL_MS })
    if (result.outcome !== 'exited' || result.code !== 0)
      throw new FaultError('network', `the namespace ${name} cannot be prepared: ${wordsOf(result)}`)
  }

  private async untilNobodyHas(name: string, address: string): Promise<void> {
    if (address.includes(':')) return
    const end = performance.now() + this.probing.patienceMs
    for (;;) {
      const holder = await this.holderOf(name, address)
      if (holder === null) return
      if (performance.now() >= end)
        throw new FaultError('address-in-use', `${address} is answered for by ${holder} on the network`)
      await new Pause().wait(ASK_EVERY_MS)
    }
  }

  /** Null: nobody answered, or there is no arping to ask with. */
  private async holderOf(name: string, address: string): Promise<string | null> {
    const { probeMs } = this.probing
    const ask = ['arping', '-D', '-c', '1', '-w', String(Math.ceil(probeMs / 1_000)), '-I', INNER, address]
    const result = await this.run('ip', ['netns', 'exec', name, ...ask], { deadlineMs: probeMs, killAfterMs: 500 })
    if (result.outcome !== 'exited' || result.code !== 1) return null
    return /reply from \S+ \[([0-9A-F:]{17})\]/i.exec(result.stdout)?.[1] ?? null
  }
}

const isComplete = ({ up, gateway }: Inside, { network }: BridgedVip): boolean =>
  up && (network.gateway === null || network.gateway === gateway)
