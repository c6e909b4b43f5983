import type { L7PolicyIntent, L7RuleIntent } from '../../../../wire/balancing/intent.js'
import type { CompareType, PolicyAction, RuleType } from '../../../../wire/balancing/terms.js'
import { argument, format, invalid, notForHaproxy, urlText, word } from './words.js'

const methods: Readonly<Record<CompareType, string>> = {
  REGEX: 'reg',
  STARTS_WITH: 'beg',
  ENDS_WITH: 'end',
  CONTAINS: 'sub',
  EQUAL_TO: 'str',
}

/** What a rule looks at. Null: HAProxy is given no means for it here. */
const fetches: Readonly<Record<RuleType, ((rule: L7RuleIntent) => string) | null>> = {
  // a name, whatever its case, without the port that clients add where it is not the usual one
  HOST_NAME: () => `req.hdr(host),regsub(${word(':[0-9]+$')},) -i`,
  PATH: () => 'path',
  FILE_TYPE: () => 'var(txn.file_type)',
  HEADER: (rule) => `req.hdr(${argument(keyOf(rule))})`,
  COOKIE: (rule) => `req.cook(${argument(keyOf(rule))})`,
  SSL_CONN_HAS_CERT: null,
  SSL_VERIFY_RESULT: null,
  SSL_DN_FIELD: null,
}

/**
 * What the policies are in a frontend. The first whose rules are met counts: answers end the matter where they stand, and
 * a pool that was chosen keeps the policies after it from theirs.
 */
export function renderPolicies(policies: readonly L7PolicyIntent[], backendOf: (poolId: string) => string): string[] {
  const effective = policies.filter(({ rules }) => rules.length > 0)
  if (effective.length === 0) return []
  const rules = effective.flatMap((policy) => policy.rules)
  return [
    ...(rules.some(({ type }) => type === 'FILE_TYPE') ? [fileType] : []),
    ...rules.map(renderRule),
    'acl chosen var(txn.policy) -m found',
    ...effective.map((policy) => `${actions[policy.action](policy)} if !chosen ${conditionsOf(policy)}`),
    ...effective
      .filter(({ action }) => action === 'REDIRECT_TO_POOL')
      .map(({ id, redirectPoolId }) => `use_backend ${backendOf(redirectPoolId!)} if { var(txn.policy) -m str ${id} }`),
  ]
}

/** What follows the last dot of the last part of the path; a path without one has none, and meets no rule about it. */
const fileType = `http-request set-var(txn.file_type) path,field(-1,.) if { path -m reg -- ${word('\\.[^./]*$')} }`

const actions: Readonly<Record<PolicyAction, (policy: L7PolicyIntent) => string>> = {
  REDIRECT_TO_POOL: ({ id, redirectPoolId }) => {
    if (!redirectPoolId) throw invalid(`policy ${id} leads to no pool`)
    return `http-request set-var(txn.policy) str(${id})`
  },
  REDIRECT_TO_URL: ({ id, redirectUrl, redirectHttpCode }) => redirect(id, 'location', redirectUrl, redirectHttpCode),
  REDIRECT_PREFIX: ({ id, redirectPrefix, redirectHttpCode }) =>
    redirect(id, 'prefix', redirectPrefix, redirectHttpCode),
  REJECT: () => 'http-request deny deny_status 403',
}

function redirect(id: string, how: string, to: string | null | undefined, code: number | null | undefined): string {
  if (!to) throw invalid(`policy ${id} leads nowhere`)
  return `http-request redirect ${how} ${format(urlText(to))} code ${code ?? 302}`
}

function renderRule(rule: L7RuleIntent): string {
  const fetch = fetches[rule.type]
  if (fetch === null) throw notForHaproxy(`rule ${rule.id}: ${rule.type} is not supported`)
  return `acl ${rule.id} ${fetch(rule)} -m ${methods[rule.compareType]} -- ${word(comparedTo(rule))}`
}

/** Clients of the field say a file type with its dot or without. */
const comparedTo = ({ type, compareType, value }: L7RuleIntent): string =>
  type === 'FILE_TYPE' && compareType === 'EQUAL_TO' ? value.replace(/^\./, '') : value

const conditionsOf = ({ rules }: L7PolicyIntent): string =>
  rules.map(({ id, invert }) => `${invert ? '!' : ''}${id}`).join(' ')

function keyOf({ id, key }: L7RuleIntent): string {
  if (!key) throw invalid(`rule ${id} names neither header nor cookie`)
  return key
}
