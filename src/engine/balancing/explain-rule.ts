import { RE2JS, RE2JSException } from 're2js'
import type { CompareType, RuleType } from '../../wire/balancing/terms.js'
import type { L7Rule } from './l7-rule.entity.js'

/** A request as somebody imagines it. */
export interface ImaginedRequest {
  readonly method: string
  /** As the client would write it: with the port where it has one. Null: it sends none. */
  readonly host: string | null
  /** With the query string, where there is one. */
  readonly path: string
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, readonly string[]>
}

/** `met: null`: the regex is one that only the device can read. */
export interface RuleVerdict {
  readonly ruleId: string
  readonly met: boolean | null
  readonly why: string
}

/** What a rule looks at: all values that the request has there; of several, one that fits is enough. */
const values: Readonly<Record<RuleType, (request: ImaginedRequest, key: string) => readonly string[]>> = {
  HOST_NAME: ({ host }) => (host === null ? [] : [hostName(host)]),
  PATH: ({ path }) => [pathOf(path)],
  FILE_TYPE: ({ path }) => fileTypeOf(pathOf(path)),
  // a list in one line is as good as several lines
  HEADER: ({ headers }, key) =>
    (headers.get(key.toLowerCase()) ?? []).flatMap((line) => line.split(',').map((value) => value.trim())),
  COOKIE: ({ headers }, key) => (headers.get('cookie') ?? []).flatMap((line) => cookiesIn(line, key)),
  // nobody can say here what the client's certificate would be: it has none
  SSL_CONN_HAS_CERT: () => [],
  SSL_VERIFY_RESULT: () => [],
  SSL_DN_FIELD: () => [],
}

const compares: Readonly<Record<Exclude<CompareType, 'REGEX'>, (text: string, value: string) => boolean>> = {
  STARTS_WITH: (text, value) => text.startsWith(value),
  ENDS_WITH: (text, value) => text.endsWith(value),
  CONTAINS: (text, value) => text.includes(value),
  EQUAL_TO: (text, value) => text === value,
}

const verbs: Readonly<Record<CompareType, string>> = {
  REGEX: 'matches',
  STARTS_WITH: 'starts with',
  ENDS_WITH: 'ends with',
  CONTAINS: 'contains',
  EQUAL_TO: 'is',
}

/** Whether a request meets one rule, as the drivers' devices judge it, and in words why. */
export function judgeRule(rule: L7Rule, request: ImaginedRequest): RuleVerdict {
  const seen = values[rule.type](request, rule.key ?? '')
  const what = rule.key === null ? rule.type : `${rule.type} ${rule.key}`
  const fits = fitterOf(rule)
  if (fits === null) return { ruleId: rule.id, met: null, why: `${what}: only the device reads ${quote(rule.value)}` }
  const found = seen.find(fits)
  const shown = found ?? seen[0]
  const said = shown === undefined ? 'is not there' : `is ${quote(shown)}`
  const compared = `${found === undefined ? 'nothing' : 'it'} ${verbs[rule.compareType]} ${quote(rule.value)}`
  const inverted = rule.invert ? ', and the rule is inverted' : ''
  return { ruleId: rule.id, met: (found !== undefined) !== rule.invert, why: `${what} ${said}: ${compared}${inverted}` }
}

/** Names of hosts have no case; all else has. Regexes are found anywhere, in time that grows with the text alone. */
function fitterOf({ type, compareType, value }: L7Rule): ((text: string) => boolean) | null {
  const caseless = type === 'HOST_NAME'
  if (compareType === 'REGEX') {
    const regex = readRegex(value, caseless)
    return regex && ((text) => regex.matcher(text).find())
  }
  const compare = compares[compareType]
  // `.png` is said as well, and means the same
  if (type === 'FILE_TYPE' && compareType === 'EQUAL_TO') return (text) => text === value.replace(/^\./, '')
  if (!caseless) return (text) => compare(text, value)
  return (text) => compare(text.toLowerCase(), value.toLowerCase())
}

/** The device's engine knows more, such as what looks back: of that nothing is said rather than something wrong. */
function readRegex(value: string, caseless: boolean): RE2JS | null {
  try {
    return RE2JS.compile(value, caseless ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (error) {
    if (error instanceof RE2JSException) return null
    throw error
  }
}

const PORT = /:\d+$/
const hostName = (host: string): string => host.replace(PORT, '')

/** Without the query string. */
const pathOf = (target: string): string => target.split('?', 1)[0]!

/** What stands behind the last dot of the last segment. */
function fileTypeOf(path: string): readonly string[] {
  const file = path.slice(path.lastIndexOf('/') + 1)
  const dot = file.lastIndexOf('.')
  return dot < 0 ? [] : [file.slice(dot + 1)]
}

/** Names of cookies have a case. */
function cookiesIn(line: string, name: string): string[] {
  return line.split(';').flatMap((pair) => {
    const [key, ...value] = pair.split('=')
    return key!.trim() === name && value.length > 0 ? [value.join('=').trim()] : []
  })
}

const quote = (text: string): string => JSON.stringify(text)
