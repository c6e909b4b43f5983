/** All that a machine must know to become a host. Its text is a secret. */
export interface JoinToken {
  readonly id: string
  /** 32 bytes, base64url. */
  readonly secret: string
  /** SHA-256 of each certificate authority of the plane, lower-case hex. */
  readonly authorities: readonly string[]
  /** The same of the certificate that REST shows, where another authority has signed it. */
  readonly restCertificate: string | null
  /** Where REST is reached. */
  readonly rest: readonly string[]
  /** Where replicas listen for hosts, `host:port`. */
  readonly tcp: readonly string[]
}

const PREFIX = 'kjt_'
export const MAX_JOIN_TOKEN_CHARS = 8_192
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const SECRET = /^[\w-]{43}$/
const FINGERPRINT = /^[0-9a-f]{64}$/

export function writeJoinToken({ id, secret, authorities, restCertificate, rest, tcp }: JoinToken): string {
  const spelled = { id, secret, ca: authorities, ...(restCertificate ? { tls: restCertificate } : {}), rest, tcp }
  return PREFIX + Buffer.from(JSON.stringify(spelled)).toString('base64url')
}

/** Null: it is no join token, or not a whole one. */
export function readJoinToken(text: string): JoinToken | null {
  if (!text.startsWith(PREFIX) || text.length > MAX_JOIN_TOKEN_CHARS) return null
  try {
    const spelled: unknown = JSON.parse(Buffer.from(text.slice(PREFIX.length), 'base64url').toString('utf8'))
    return typeof spelled === 'object' && spelled !== null ? tokenOf(spelled as Record<string, unknown>) : null
  } catch {
    return null
  }
}

function tokenOf({ id, secret, ca, tls = null, rest, tcp }: Record<string, unknown>): JoinToken | null {
  const whole =
    matches(id, UUID) &&
    matches(secret, SECRET) &&
    (tls === null || matches(tls, FINGERPRINT)) &&
    [ca, rest, tcp].every((list) => Array.isArray(list) && list.every((item) => typeof item === 'string')) &&
    (ca as string[]).length > 0 &&
    (ca as string[]).every((one) => FINGERPRINT.test(one))
  if (!whole) return null
  const [authorities, restAddresses, tcpAddresses] = [ca, rest, tcp] as [string[], string[], string[]]
  return { id, secret, authorities, restCertificate: tls, rest: restAddresses, tcp: tcpAddresses }
}

const matches = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value)
