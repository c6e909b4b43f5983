import { createHash, X509Certificate } from 'node:crypto'
import type { Enrolled } from '../wire/enrolment.js'
import { type JoinToken, readJoinToken } from '../wire/join-token.js'
import { parseAddress } from './address-book.js'
import { newKeyAndRequest } from './certificate-request.js'
import { type HostIdentity, requireSigned } from './identity.js'
import { JoinError } from './join-error.js'
import { type PinnedReply, postPinned, WrongPin } from './pinned-request.js'

/** @throws JoinError */
export function requireJoinToken(text: string): JoinToken {
  const token = readJoinToken(text)
  if (!token) throw new JoinError(78, 'that is no join token: it begins with kjt_ and is copied as a whole')
  return token
}

/**
 * Makes a key, has it certified for the token, and answers who the host is from then on. Nothing is written.
 * @throws JoinError
 */
export async function enrol(name: string, tokenText: string): Promise<HostIdentity> {
  const token = requireJoinToken(tokenText)
  const { key, csr } = await newKeyAndRequest()
  const reply = await askPlane(token, { token: tokenText, name, csr })
  const enrolled = requireEnrolled(reply)
  // over plain HTTP, on the loopback, nothing but the token says which authorities are the plane's
  const authorities = enrolled.authorities.filter((pem) => token.authorities.includes(fingerprintOf(pem)))
  try {
    requireSigned(enrolled.certificate, key, authorities)
  } catch (cause) {
    throw new JoinError(78, (cause as Error).message, { cause })
  }
  const engines = enrolled.engines.length > 0 ? enrolled.engines : token.tcp
  return {
    hostId: enrolled.hostId,
    name: enrolled.name,
    key,
    certificate: enrolled.certificate,
    authorities,
    engines: engines.filter((engine) => parseAddress(engine) !== null),
    obtainedAt: new Date().toISOString(),
  }
}

/** At the first of the addresses that answers as it should. */
async function askPlane(token: JoinToken, body: object): Promise<PinnedReply> {
  const failures: Error[] = []
  for (const address of token.rest) {
    try {
      return await postPinned(new URL('/api/v1/enrolment', address), body, token)
    } catch (error) {
      failures.push(error as Error)
    }
  }
  const told = failures.map(({ message }) => message).join('; ') || 'the join token names no address'
  if (failures.some((failure) => failure instanceof WrongPin)) {
    throw new JoinError(78, `this is not the plane of the join token: ${told}`)
  }
  throw new JoinError(69, `no engine can be reached: ${told}`)
}

/** Refusals that pass by themselves. */
const passing: Readonly<Record<number, 69 | 75>> = { 429: 75, 503: 69 }

function requireEnrolled({ status, body }: PinnedReply): Enrolled {
  const answer = (body ?? {}) as Partial<Enrolled> & { readonly detail?: unknown }
  if (status !== 200) {
    const told = typeof answer.detail === 'string' ? answer.detail : `it answered ${status}`
    throw new JoinError(passing[status] ?? (status >= 500 || status === 0 ? 69 : 78), `the plane refused: ${told}`)
  }
  const { hostId, name, certificate, authorities, engines } = answer
  const whole = [hostId, name, certificate].every((text) => typeof text === 'string')
  if (!whole || !Array.isArray(authorities) || !Array.isArray(engines)) {
    throw new JoinError(69, 'the plane answered with something else than a certificate')
  }
  return answer as Enrolled
}

function fingerprintOf(pem: string): string {
  try {
    return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex')
  } catch {
    return ''
  }
}
