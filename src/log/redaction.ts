/** Names under which secrets travel; their values never reach a log, at the top or up to two objects deep. */
const secretNames = [
  'joinToken',
  'privateKey',
  'authorization',
  'proxyAuthorization',
  'password',
  'newPassword',
  'currentPassword',
  'oneTimePassword',
  'token',
  'secret',
  'clientSecret',
  'cookie',
  'setCookie',
  'sealingKeys',
  'databaseUrl',
]
const censor = '(redacted)'

const capitalized = (name: string): string => name[0]!.toUpperCase() + name.slice(1)
const dashed = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const spellings = [...new Set(secretNames.flatMap((name) => [name, capitalized(name), dashed(name)]))]
const asPath = (name: string): string => (name.includes('-') ? `["${name}"]` : name)

export const redaction = {
  paths: spellings
    .map(asPath)
    .flatMap((name) => [name, ...['*', '*.*'].map((above) => `${above}${name.startsWith('[') ? '' : '.'}${name}`)]),
  censor,
}

/** How secrets look wherever they stand in a line: within a message, an address, another program's words. */
const looks: readonly (readonly [RegExp, string])[] = [
  [/\b(kjt)_[\w.~-]+/g, `$1_${censor}`],
  // our own: API tokens, sessions; the id stays, as the audit log has it
  [/\b(k[a-z]{2}_[0-9a-f]{32})_[\w-]{43}/g, `$1_${censor}`],
  [/\bsealed:1:([0-9a-f]{16}):[\w-]+/g, `sealed:1:$1:${censor}`],
  [/\b(Bearer|Basic) +[\w.~+/=-]{8,}/gi, `$1 ${censor}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:@/"\\]*:)[^\s@/"\\]+@/gi, `$1${censor}@`],
  [/([?&]password=)[^&\s"\\]+/gi, `$1${censor}`],
  // members of an object: of the line's own, and of one that a message quotes
  [new RegExp(`("(?:${spellings.join('|')})":)"(?:[^"\\\\]|\\\\.)*"`, 'gi'), `$1"${censor}"`],
  [new RegExp(`(\\\\+"(?:${spellings.join('|')})\\\\+":\\s*\\\\+")[^"\\\\]*`, 'gi'), `$1${censor}`],
]

/** Whether there is anything to look for: hardly any text has it. */
const hint = /kjt_|k[a-z]{2}_[0-9a-f]{32}_|sealed:1:|Bearer |Basic |:\/\/|password=|"/i

/** A line as it may be written; JSON stays JSON. */
export const scrub = (line: string): string =>
  hint.test(line) ? looks.reduce((text, [look, words]) => text.replace(look, words), line) : line
