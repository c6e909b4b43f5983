import { Injectable, Logger } from '@nestjs/common'
import * as oidc from 'openid-client'
import { Unavailable } from '../platform/errors.js'
import type { IdentityProvider } from './identity-provider.entity.js'
import { IdentityProviders } from './identity-providers.service.js'
import { isTrustworthy } from './loopback.js'

/** For each call to a provider, its body among it. */
const CALL_SECONDS = 5
const MAX_REPLY_BYTES = 1_048_576
const METADATA_MS = 600_000
/** A provider that did not answer is not asked again by every request. */
const FAILURE_MS = 2_000
/** The library asks for keys anew where it misses one and those it has are older than this: always, as we tell it. */
const KEYS_ARE_OLD_SECONDS = 60

type Keys = NonNullable<ReturnType<typeof oidc.getJwksCache>>

interface Discovered {
  /** What it was discovered for: another change of the provider is another. */
  readonly generation: number
  readonly atMs: number
  readonly metadata: Promise<oidc.ServerMetadata>
  failed: boolean
  keys: Keys | null
}

/** Providers as this replica knows them: metadata and keys are kept for minutes, and every call has a deadline. */
@Injectable()
export class OidcClient {
  private readonly log = new Logger(OidcClient.name)
  private readonly known = new Map<string, Discovered>()

  constructor(private readonly providers: IdentityProviders) {}

  /** Runs with a configuration of its own, so that keys which the provider has changed are found. @throws Unavailable */
  async with<T>(provider: IdentityProvider, work: (config: oidc.Configuration) => Promise<T>): Promise<T> {
    const discovered = this.discovered(provider)
    const config = this.configure(provider, await this.metadataOf(provider, discovered))
    const old = Math.floor(Date.now() / 1_000) - KEYS_ARE_OLD_SECONDS
    if (discovered.keys) oidc.setJwksCache(config, { ...discovered.keys, uat: Math.min(discovered.keys.uat, old) })
    const result = await work(config)
    const found = oidc.getJwksCache(config)
    // only what was fetched just now: those that we made old must not grow older by that
    if (found && found.uat > old) discovered.keys = found
    return result
  }

  private discovered(provider: IdentityProvider): Discovered {
    const known = this.known.get(provider.id)
    const ageMs = performance.now() - (known?.atMs ?? 0)
    const fresh = known?.generation === provider.generation && ageMs < (known.failed ? FAILURE_MS : METADATA_MS)
    if (known && fresh) return known
    const made: Discovered = {
      generation: provider.generation,
      atMs: performance.now(),
      metadata: discover(provider),
      failed: false,
      keys: null,
    }
    made.metadata.catch(() => {
      made.failed = true
    })
    this.known.set(provider.id, made)
    return made
  }

  private async metadataOf(provider: IdentityProvider, { metadata }: Discovered): Promise<oidc.ServerMetadata> {
    try {
      return await metadata
    } catch (error) {
      this.log.warn({ err: error, provider: provider.name }, 'an identity provider cannot be discovered')
      throw unavailable(provider)
    }
  }

  private configure(provider: IdentityProvider, metadata: oidc.ServerMetadata): oidc.Configuration {
    const secret = this.providers.clientSecretOf(provider)
    const config = new oidc.Configuration({ ...metadata }, provider.clientId, {}, authenticationOf(metadata, secret))
    if (provider.issuer.startsWith('http:')) oidc.allowInsecureRequests(config)
    // also where the token came straight from the provider: its signature is looked at
    oidc.enableNonRepudiationChecks(config)
    config.timeout = CALL_SECONDS
    config[oidc.customFetch] = guardedFetch
    return config
  }
}

export const unavailable = ({ name }: IdentityProvider): Unavailable =>
  new Unavailable(`the identity provider ${name} does not answer as it should`, 5, 'identity-provider-unavailable')

async function discover({ issuer, clientId }: IdentityProvider): Promise<oidc.ServerMetadata> {
  const config = await oidc.discovery(new URL(issuer), clientId, undefined, oidc.None(), {
    timeout: CALL_SECONDS,
    [oidc.customFetch]: guardedFetch,
    ...(issuer.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {}),
  })
  return { ...config.serverMetadata() }
}

/** Basic is what a provider understands that says nothing (OpenID Connect Discovery 1.0, 3). */
function authenticationOf(metadata: oidc.ServerMetadata, secret: string | null): oidc.ClientAuth {
  if (secret === null) return oidc.None()
  const supported = metadata.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  return supported.includes('client_secret_basic') ? oidc.ClientSecretBasic(secret) : oidc.ClientSecretPost(secret)
}

/** Whatever the provider's metadata says: nothing over plain HTTP but on the loopback, and no reply without an end. */
const guardedFetch: oidc.CustomFetch = async (url, options) => {
  if (!isTrustworthy(url)) throw new Error(`${new URL(url).origin} is not https`)
  const reply = await fetch(url, options as RequestInit)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of reply.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_REPLY_BYTES) throw new Error(`${new URL(url).origin} sends more than ${MAX_REPLY_BYTES} bytes`)
    chunks.push(chunk)
  }
  const empty = [204, 205, 304].includes(reply.status)
  const { status, statusText, headers } = reply
  return new Response(empty ? null : Buffer.concat(chunks), { status, statusText, headers })
}
