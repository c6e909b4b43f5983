/** Names under which secrets travel; their values never reach a log, at the top or up to two objects deep. */
const secretNames = [
  'joinSecret',
  'authorization',
  'password',
  'oneTimePassword',
  'token',
  'secret',
  'clientSecret',
  'cookie',
]

const spellings = secretNames.flatMap((name) => [name, name[0]!.toUpperCase() + name.slice(1)])

export const redaction = {
  paths: spellings.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  censor: '(redacted)',
}
