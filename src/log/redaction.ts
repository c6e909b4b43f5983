/** Names under which secrets travel; their values never reach a log, at the top or up to two objects deep. */
const secretNames = ['joinToken', 'privateKey', 'authorization', 'password', 'token', 'secret', 'cookie']

const spellings = secretNames.flatMap((name) => [name, name[0]!.toUpperCase() + name.slice(1)])

export const redaction = {
  paths: spellings.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  censor: '(redacted)',
}
