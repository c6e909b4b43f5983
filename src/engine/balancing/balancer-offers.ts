import { Injectable } from '@nestjs/common'
import { type Provider, providers } from '../../wire/balancing/providers.js'
import type { Tx } from '../platform/database.js'
import { Invalid } from '../platform/errors.js'

interface Asked {
  readonly provider?: string | null
  readonly flavorId?: string | null
  readonly availabilityZone?: string | null
}

interface Found {
  readonly enabled: boolean
  readonly provider: string
  readonly content: Readonly<Record<string, unknown>>
}

/** What a new balancer asks of what operators offer. */
@Injectable()
export class BalancerOffers {
  /**
   * @returns the provider, null when nobody has said one, and the labels that its host must have
   * @throws Invalid for what is not offered
   */
  async ask(
    tx: Tx,
    { provider, flavorId, availabilityZone }: Asked,
  ): Promise<{ readonly provider: Provider | null; readonly labels: Record<string, string> }> {
    const flavor = flavorId ? await this.flavor(tx, flavorId) : null
    const zone = availabilityZone ? await this.zone(tx, availabilityZone) : null
    const said = provider ?? flavor?.provider ?? zone?.provider ?? null
    for (const [field, offer] of [
      ['flavorId', flavor],
      ['availabilityZone', zone],
    ] as const) {
      if (offer && offer.provider !== said)
        throw refused(field, `it is for the provider ${offer.provider}, not for ${said}`)
    }
    return { provider: said === null ? null : known(said), labels: labelsOf(zone) }
  }

  /** Of one that is there already: its zone may be offered to nobody any more, and still says where it may be. */
  async labelsOf(tx: Tx, availabilityZone: string | null): Promise<Record<string, string>> {
    return availabilityZone === null ? {} : labelsOf((await this.findZone(tx, availabilityZone)) ?? null)
  }

  private async flavor(tx: Tx, id: string): Promise<Found> {
    const [found]: Found[] = await tx.query(
      `SELECT f.enabled, p.provider, p.content FROM flavors f JOIN flavor_profiles p ON p.id = f.profile_id WHERE f.id = $1`,
      [id],
    )
    if (!found) throw refused('flavorId', `there is no flavor ${id}`)
    if (!found.enabled) throw refused('flavorId', `flavor ${id} is disabled`)
    return found
  }

  private async zone(tx: Tx, name: string): Promise<Found> {
    const found = await this.findZone(tx, name)
    if (!found) throw refused('availabilityZone', `there is no availability zone ${name}`)
    if (!found.enabled) throw refused('availabilityZone', `availability zone ${name} is disabled`)
    return found
  }

  private async findZone(tx: Tx, name: string): Promise<Found | undefined> {
    const [found]: Found[] = await tx.query(
      `SELECT z.enabled, p.provider, p.content FROM availability_zones z
       JOIN availability_zone_profiles p ON p.id = z.profile_id WHERE z.name = $1`,
      [name],
    )
    return found
  }
}

function known(provider: string): Provider {
  const found = providers.find((one) => one === provider)
  if (!found) throw refused('provider', `there is no provider ${provider}: ${providers.join(', ')}`)
  return found
}

/** `{"labels": {…}}` in the content of a zone's profile: its hosts. */
function labelsOf(zone: Found | null): Record<string, string> {
  const labels = zone?.content.labels
  if (typeof labels !== 'object' || labels === null) return {}
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

const refused = (field: string, message: string): Invalid =>
  new Invalid(`the load balancer cannot be made: ${message}`, [{ field, message }])
