import type { L7PolicyIntent, L7RuleIntent, ListenerIntent } from '../../../../wire/balancing/intent.js'
import type { CompareType } from '../../../../wire/balancing/terms.js'
import { block, invalid, literally, oneLine, quoted, quotedValue } from './text.js'

/** Variables that are the same for every listener: the path as it was sent, and what follows its last dot. */
export const requestMaps: readonly string[] = [
  ...block('map $request_uri $keelson_path', ['default $request_uri;', `${quoted('~^([^?]*)\\?')} $1;`]),
  ...block('map $keelson_path $keelson_file_type', ['default "";', `${quoted('~\\.([^./]*)$')} $1;`]),
]

const patterns: Readonly<Record<CompareType, (value: string) => string>> = {
  REGEX: (value) => `(?:${value})`,
  STARTS_WITH: (value) => `^${literally(value)}`,
  ENDS_WITH: (value) => `${literally(value)}\\z`,
  CONTAINS: (value) => `(?:${literally(value)})`,
  EQUAL_TO: (value) => `^${literally(value)}\\z`,
}

/** A group with a name would be a variable of nginx, and could stand for one of ours. */
const NAMED_GROUP = /\(\?(?:P?<(?![=!])|')/

/** Each policy's verdict is `1` or `0`; the first `1` of a listener is its route. */
export class Routing {
  constructor(
    private readonly listener: ListenerIntent,
    /** Begins the names of its variables. */
    private readonly prefix: string,
  ) {}

  /** The position of the policy that a request meets first; `-` where it meets none. */
  get routeVariable(): string {
    return `$${this.prefix}_route`
  }

  get poolVariable(): string {
    return `$${this.prefix}_pool`
  }

  /** @param upstreamOf the name of a pool's upstream; empty: it has nothing that takes a request */
  maps(upstreamOf: (poolId: string | null) => string): string[] {
    const policies = this.listener.policies
    // one without rules has no requests
    const live = policies.map((policy, at) => ({ policy, at })).filter(({ policy }) => policy.rules.length > 0)
    const verdicts = live.map(({ at }) => `$${this.prefix}_p${at}`).join('')
    const routes = live.map(({ at }, order) => `${quoted(`~^0{${order}}1`)} ${at};`)
    const pools = live
      .filter(({ policy }) => policy.action === 'REDIRECT_TO_POOL')
      .map(({ policy, at }) => `${at} ${quoted(upstreamOf(policy.redirectPoolId))};`)
    return [
      ...live.flatMap(({ policy, at }) => this.policyMaps(policy, `${this.prefix}_p${at}`)),
      ...block(`map ${quoted(verdicts)} ${this.routeVariable}`, ['default -;', ...routes]),
      ...block(`map ${this.routeVariable} ${this.poolVariable}`, [
        `default ${quoted(upstreamOf(this.listener.defaultPoolId))};`,
        ...pools,
      ]),
    ]
  }

  /** What is answered without a pool. */
  answers(): string[] {
    return this.listener.policies.flatMap((policy, at) => {
      const answer = policy.rules.length > 0 ? answerOf(policy) : null
      return answer === null ? [] : block(`if (${this.routeVariable} = ${at})`, [answer])
    })
  }

  private policyMaps(policy: L7PolicyIntent, name: string): string[] {
    const rules = policy.rules.map((_, at) => `$${name}_r${at}`).join('')
    return [
      ...policy.rules.flatMap((rule, at) => ruleMaps(rule, `${name}_r${at}`)),
      ...block(`map ${quoted(rules)} $${name}`, ['default 0;', `${'1'.repeat(policy.rules.length)} 1;`]),
    ]
  }
}

function answerOf(policy: L7PolicyIntent): string | null {
  const code = policy.redirectHttpCode ?? 302
  if (policy.action === 'REJECT') return 'return 403;'
  if (policy.action === 'REDIRECT_TO_URL') {
    return `return ${code} ${quotedValue(oneLine(policy.redirectUrl ?? '', `redirectUrl of ${policy.id}`))};`
  }
  if (policy.action === 'REDIRECT_PREFIX') {
    const prefix = quotedValue(oneLine(policy.redirectPrefix ?? '', `redirectPrefix of ${policy.id}`))
    return `return ${code} ${prefix.slice(0, -1)}$request_uri";`
  }
  return null
}

function ruleMaps(rule: L7RuleIntent, name: string): string[] {
  const [source, own] = sourceOf(rule, name)
  if (rule.compareType === 'REGEX' && NAMED_GROUP.test(rule.value)) {
    throw invalid(`value of ${rule.id}: a group of a regular expression cannot have a name here`)
  }
  // names of hosts are the same in any case
  const sign = rule.type === 'HOST_NAME' ? '~*' : '~'
  const [met, unmet] = rule.invert ? [0, 1] : [1, 0]
  const pattern = quoted(`${sign}${patterns[rule.compareType](comparedTo(rule))}`)
  return [...own, ...block(`map ${source} $${name}`, [`default ${unmet};`, `${pattern} ${met};`])]
}

/** People say a file type with its dot or without. */
const comparedTo = ({ type, compareType, value }: L7RuleIntent): string =>
  type === 'FILE_TYPE' && compareType === 'EQUAL_TO' ? value.replace(/^\./, '') : value

/** The variable that a rule looks at, and what makes it. */
function sourceOf({ id, type, key }: L7RuleIntent, name: string): [string, string[]] {
  if (type === 'HOST_NAME') return ['$host', []]
  if (type === 'PATH') return ['$keelson_path', []]
  if (type === 'FILE_TYPE') return ['$keelson_file_type', []]
  if (type === 'HEADER') {
    // nginx takes no others from clients: behind it `X_A` and `X-A` are often one
    if (!/^[A-Za-z0-9-]+$/.test(key ?? ''))
      throw invalid(`key of ${id}: a header's name has letters, digits and hyphens`)
    return [`$http_${key!.toLowerCase().replaceAll('-', '_')}`, []]
  }
  if (type === 'COOKIE') {
    const pattern = quoted(`~(?:^|;)\\s*${literally(key ?? '')}\\s*=\\s*([^;]*?)\\s*(?:;|\\z)`)
    return [`$${name}_cookie`, block(`map $http_cookie $${name}_cookie`, ['default "";', `${pattern} $1;`])]
  }
  throw invalid(`${id}: nginx has no rules of the type ${type} here`)
}
