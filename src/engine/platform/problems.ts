/**
 * The stable types of problem documents, their status and title. A domain error of a type that is not here is told by
 * its class (`problem.ts`).
 */
export const problems = {
  'bad-request': { status: 400, title: 'The request is malformed' },
  'malformed-body': { status: 400, title: 'The body is not well-formed JSON' },
  unauthenticated: { status: 401, title: 'Sign in first' },
  'wrong-credentials': { status: 401, title: 'The name or the password is wrong' },
  'join-token-unknown': { status: 401, title: 'There is no such join token' },
  forbidden: { status: 403, title: 'You may not do that' },
  'password-change-required': { status: 403, title: 'Choose a new password first' },
  'join-token-used': { status: 403, title: 'The join token was used' },
  'join-token-expired': { status: 403, title: 'The join token has expired' },
  'join-token-other-name': { status: 403, title: 'The join token is for another host' },
  'cross-site': { status: 403, title: 'The request comes from another site' },
  'sign-in-refused': { status: 403, title: 'The identity provider signed nobody in' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'route-not-found': { status: 404, title: 'There is nothing at this path' },
  'method-not-allowed': { status: 405, title: 'This path does not know that method' },
  'request-timeout': { status: 408, title: 'The request took too long to arrive' },
  conflict: { status: 409, title: 'Its state does not allow it' },
  pending: { status: 409, title: 'A change of it is under way' },
  'id-in-use': { status: 409, title: 'The id is in use with other arguments' },
  'name-taken': { status: 409, title: 'The name is taken' },
  'unsupported-by-host': { status: 409, title: 'The agent of the host does not understand it' },
  'quota-exceeded': { status: 409, title: 'The quota of the project does not allow more' },
  'no-such-generation': { status: 409, title: 'That generation is not kept' },
  'no-room': { status: 409, title: 'No host can take it' },
  'last-administrator': { status: 409, title: 'Nobody could administer the plane any more' },
  'address-taken': { status: 409, title: 'Somebody has the address' },
  'network-full': { status: 409, title: 'The network has no address left' },
  'network-overlaps': { status: 409, title: 'It contradicts another network on the same bridge' },
  'in-use': { status: 409, title: 'Others use it' },
  'port-taken': { status: 409, title: 'The port is taken' },
  'pool-taken': { status: 409, title: 'The listener has a default pool' },
  'pool-in-use': { status: 409, title: 'Something leads to the pool' },
  'member-taken': { status: 409, title: 'The pool has that member' },
  'monitor-taken': { status: 409, title: 'The pool has a health monitor' },
  'too-large': { status: 409, title: 'It is too large for one command' },
  'too-many-listeners': { status: 409, title: 'The load balancer has all the listeners that it can' },
  'too-many-pools': { status: 409, title: 'The load balancer has all the pools that it can' },
  'too-many-members': { status: 409, title: 'The load balancer has all the members that it can' },
  'too-many-policies': { status: 409, title: 'There are as many L7 policies as there can be' },
  'too-many-rules': { status: 409, title: 'The L7 policy has all the rules that it can' },
  'idempotency-key-in-use': { status: 409, title: 'A request of the same key is under way' },
  'precondition-failed': { status: 412, title: 'It has changed since it was read' },
  'cursor-lost': { status: 410, title: 'The cursor is of a history that the database has lost, or too old' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'uri-too-long': { status: 414, title: 'The address is too long' },
  'unsupported-media-type': { status: 415, title: 'Bodies are JSON' },
  invalid: { status: 422, title: 'The request cannot be right' },
  'csr-refused': { status: 422, title: 'The certificate request is refused' },
  'idempotency-key-reused': { status: 422, title: 'The key belongs to another request' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  internal: { status: 500, title: 'The engine failed' },
  'not-supported': { status: 501, title: 'What would have to do it cannot' },
  unavailable: { status: 503, title: 'It will work again by itself' },
  'identity-provider-unavailable': { status: 503, title: 'The identity provider does not answer' },
  'database-unavailable': { status: 503, title: 'The database does not answer' },
  'not-ready': { status: 503, title: 'The engine is not ready' },
} as const satisfies Record<string, { status: number; title: string }>

export type ProblemType = keyof typeof problems

const URN = 'urn:keelson:problem:'

export const problemUrn = (type: string): string => `${URN}${type}`

/** The type that a problem document tells; null when it is none of ours. */
export function problemTypeOf(body: unknown): string | null {
  const type = (body as { type?: unknown } | null)?.type
  return typeof type === 'string' && type.startsWith(URN) ? type.slice(URN.length) : null
}
