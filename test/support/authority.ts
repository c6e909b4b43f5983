import 'reflect-metadata'
import { createHash, randomUUID, X509Certificate } from 'node:crypto'
import { newKeyAndRequest } from '../../src/agent/certificate-request.js'
import type { HostIdentity } from '../../src/agent/identity.js'
import { keyToCertify } from '../../src/engine/identity/certificate-request.js'
import {
  type CertifiedKey,
  makeAuthority,
  makeEngineCertificate,
  type Signer,
  signerOf,
  signHost,
} from '../../src/engine/identity/certificates.js'

const HOUR_MS = 3_600_000

/** A certificate authority of a test's own: it signs whatever the test wants to show to somebody. */
export class TestAuthority {
  private constructor(
    readonly pair: CertifiedKey,
    readonly signer: Signer,
    /** What a server of its own shows. */
    readonly engine: CertifiedKey,
  ) {}

  static async make(): Promise<TestAuthority> {
    const pair = await makeAuthority()
    const signer = await signerOf(pair)
    return new TestAuthority(pair, signer, await makeEngineCertificate(signer, { names: [], lifeMs: HOUR_MS }))
  }

  get certificate(): string {
    return this.pair.certificate
  }

  get fingerprint(): string {
    return createHash('sha256').update(new X509Certificate(this.certificate).raw).digest('hex')
  }

  /** For a Nest or Node server that asks for clients' certificates. */
  get serverTls() {
    return {
      key: this.engine.key,
      cert: this.engine.certificate,
      ca: [this.certificate],
      requestCert: true,
      minVersion: 'TLSv1.3' as const,
    }
  }

  async certify(csr: string, hostId: string, lifeMs = HOUR_MS): Promise<string> {
    return signHost(this.signer, { hostId, publicKey: await keyToCertify(csr), lifeMs })
  }

  /** @param options.agoMs how long the host has had its certificate, which is good for `lifeMs` from now on */
  async identityOf(
    name: string,
    {
      hostId = randomUUID(),
      lifeMs = HOUR_MS,
      agoMs = 0,
    }: { readonly hostId?: string; readonly lifeMs?: number; readonly agoMs?: number } = {},
  ): Promise<HostIdentity> {
    const { key, csr } = await newKeyAndRequest()
    const certificate = await this.certify(csr, hostId, lifeMs)
    const authorities = [this.certificate]
    const obtainedAt = new Date(Date.now() - agoMs).toISOString()
    return { hostId, name, key, certificate, authorities, engines: [], obtainedAt }
  }
}

let shared: Promise<TestAuthority> | undefined

/** One for a test file: keys cost time. */
export function testAuthority(): Promise<TestAuthority> {
  shared ??= TestAuthority.make()
  return shared
}
