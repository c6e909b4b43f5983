/** Headers that replies share. */
export const headers = {
  RequestId: { description: 'The request, in the log and in what it set going.', schema: { type: 'string' } },
  ETag: {
    description: 'The version of what was asked for, for If-Match.',
    schema: { type: 'string', pattern: '^"g\\d+"$' },
    example: '"g7"',
  },
  Location: {
    description: 'Where to look: the new thing, or the command that a host has to carry out.',
    schema: { type: 'string' },
  },
  IdempotencyReplayed: {
    description: 'The reply of an earlier request of the same key.',
    schema: { type: 'string', enum: ['true'] },
  },
  RateLimit: {
    description:
      'How many calls are left until the count begins anew, and in how many seconds that is, as in draft-ietf-httpapi-ratelimit-headers-11. Not for tokens that are not limited.',
    schema: { type: 'string' },
    example: '"calls";r=5999;t=60',
  },
  RateLimitPolicy: {
    description: 'How many calls may be made in how many seconds.',
    schema: { type: 'string' },
    example: '"calls";q=6000;w=60',
  },
  RetryAfter: { description: 'Seconds.', schema: { type: 'integer', minimum: 0 } },
}

/** Headers that requests share. */
export const parameters = {
  RequestId: {
    name: 'X-Request-Id',
    in: 'header',
    required: false,
    description: 'A name of your own for this request; one is made up otherwise.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,128}$' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    required: false,
    description: 'Makes it safe to repeat this request: for 24 hours the same key has the same reply, and one effect.',
    schema: { type: 'string', pattern: '^[!-~]{1,255}$' },
  },
}

const COOKIE = 'What signing in sets; over TLS its name begins with `__Host-`.'

/** How callers say who they are. */
export const securitySchemes = {
  token: { type: 'http', scheme: 'bearer', description: 'An API token of a user or of a service.' },
  session: { type: 'apiKey', in: 'cookie', name: 'keelson_session', description: COOKIE },
}
