import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { balancerSubject } from '../../wire/commands.js'
import { digestOf } from '../../wire/digest.js'
import type { NetworkIntent } from '../../wire/networks.js'
import type { NewCommand } from '../commands/commands.service.js'
import type { EventType } from '../events/event-types.js'
import type { Tx } from '../platform/database.js'
import { Settings } from '../platform/settings.js'
import { eventOf } from './balancing.events.js'
import type { BalancingDevice } from './balancing-device.entity.js'
import { CertificateKeys } from './certificate-keys.js'
import { requireFrame } from './command-size.js'
import { applyOf } from './intent.js'
import type { LoadBalancer } from './load-balancer.entity.js'
import type { Tree } from './tree.js'

/** Where a balancer's address is, and what it lives on. */
export interface Whereabouts {
  readonly network: NetworkIntent
  readonly device: BalancingDevice
}

export interface Intended {
  /** With its digest and the id of its command. */
  readonly tree: Tree
  readonly command: NewCommand<'balancing.apply'>
}

/** What a balancer's device is to be told, whole. */
@Injectable()
export class BalancerIntents {
  constructor(
    private readonly certificates: CertificateKeys,
    private readonly settings: Settings,
  ) {}

  /** @throws Invalid where a listener names a certificate that its project does not have; Conflict `too-large` */
  async intend(tx: Tx, wanted: Tree, { network, device }: Whereabouts, type: EventType): Promise<Intended> {
    const { certificates, keys } = await this.certificates.ofTree(tx, wanted)
    const payload = applyOf(wanted, device, { network, certificates })
    requireFrame(payload, keys)
    const id = randomUUID()
    const loadBalancer: LoadBalancer = {
      ...wanted.loadBalancer,
      commandId: id,
      intentDigest: digestOf(payload.balancer),
      fault: null,
      faultAt: null,
    }
    const command: NewCommand<'balancing.apply'> = {
      id,
      kind: 'balancing.apply',
      hostId: loadBalancer.hostId,
      projectId: loadBalancer.projectId,
      subject: balancerSubject(loadBalancer.id),
      generation: loadBalancer.generation,
      deadlineMs: this.settings.get('balancing.deadlineMs'),
      payload,
      ...(Object.keys(keys).length > 0 ? { secrets: { keys: { ...keys } } } : {}),
      events: [eventOf(type, loadBalancer)],
    }
    return { tree: { ...wanted, loadBalancer }, command }
  }
}
