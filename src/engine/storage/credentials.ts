import { Injectable } from '@nestjs/common'
import { registerDecorator } from 'class-validator'
import { connectionCredentials, sealedPlace, storageCredentials } from '../platform/sealed-columns.js'
import { SealBroken, Sealer } from '../platform/sealing.js'

export type CredentialTexts = Readonly<Record<string, string>>

/** What a row holds of credentials: the texts are sealed, the names may be shown. */
export interface HeldCredentials {
  readonly sealedCredentials: string | null
  readonly credentialNames: string[]
}

type HoldingConnection = Pick<HeldCredentials, 'sealedCredentials'> & {
  readonly hostId: string
  readonly connectionId: string
}
type HoldingStorage = Pick<HeldCredentials, 'sealedCredentials'> & { readonly id: string }

const MAX_CREDENTIALS = 16
const NAME = /^[a-zA-Z][a-zA-Z0-9_.-]{0,63}$/
/** A line break would begin another setting in the files of some tools. */
const TEXT = /^[^\p{Cc}]{1,1024}$/u

/** Credentials: up to 16 names with texts. Which names there are is the driver's to say; a fault never shows a text. */
export function IsCredentials(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isCredentials',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value: unknown) => areCredentials(value),
        defaultMessage: () =>
          `$property must be up to ${MAX_CREDENTIALS} names with texts of 1 to 1024 characters, none of them a control character`,
      },
    })
  }
}

function areCredentials(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= MAX_CREDENTIALS &&
    entries.every(([k, v]) => NAME.test(k) && typeof v === 'string' && TEXT.test(v))
  )
}

/** Seals credentials for the row that holds them, and opens them for what is sent to hosts. */
@Injectable()
export class Credentials {
  constructor(private readonly sealer: Sealer) {}

  sealForConnection(hostId: string, connectionId: string, credentials: CredentialTexts): HeldCredentials {
    return this.seal(credentials, sealedPlace(connectionCredentials, [hostId, connectionId]))
  }

  sealForStorage(id: string, credentials: CredentialTexts): HeldCredentials {
    return this.seal(credentials, sealedPlace(storageCredentials, [id]))
  }

  /** @throws SealBroken */
  ofConnection({ hostId, connectionId, sealedCredentials }: HoldingConnection): CredentialTexts {
    return this.open(sealedCredentials, sealedPlace(connectionCredentials, [hostId, connectionId]))
  }

  /** @throws SealBroken */
  ofStorage({ id, sealedCredentials }: HoldingStorage): CredentialTexts {
    return this.open(sealedCredentials, sealedPlace(storageCredentials, [id]))
  }

  private seal(credentials: CredentialTexts, place: string): HeldCredentials {
    const credentialNames = Object.keys(credentials).sort()
    if (credentialNames.length === 0) return { sealedCredentials: null, credentialNames }
    return { sealedCredentials: this.sealer.seal(JSON.stringify(credentials), place), credentialNames }
  }

  private open(sealed: string | null, place: string): CredentialTexts {
    if (sealed === null) return {}
    // by `seal`
    return JSON.parse(this.sealer.openText(sealed, place)) as CredentialTexts
  }
}

/** Whether what is held is what was given; nothing given is whatever is held, and what no key opens is nothing that was. */
export function areHeld(held: () => CredentialTexts, given: CredentialTexts | undefined): boolean {
  if (given === undefined) return true
  try {
    return sameTexts(held(), given)
  } catch (error) {
    if (error instanceof SealBroken) return false
    throw error
  }
}

function sameTexts(some: CredentialTexts, others: CredentialTexts): boolean {
  const names = Object.keys(some)
  return names.length === Object.keys(others).length && names.every((name) => some[name] === others[name])
}
