import type { CompareType, RuleType } from '../../../wire/balancing/terms.js'
import type { FieldFault } from '../../platform/errors.js'
import type { L7Rule } from '../l7-rule.entity.js'
import type { Edit, Tree } from '../tree.js'
import { bounded } from './bounds.js'
import { faultWhen, refuse } from './faults.js'
import {
  altered,
  type Changes,
  changed,
  type Described,
  described,
  type Made,
  newPart,
  replaced,
  required,
} from './rows.js'

type RuleAttributes = Described & Pick<L7Rule, 'key' | 'invert'>

/** Null of what has no default: as it is. */
export interface L7RuleChange extends Changes<RuleAttributes> {
  readonly type?: RuleType | null
  readonly compareType?: CompareType | null
  readonly value?: string | null
}

export interface NewL7Rule extends L7RuleChange, Made {
  readonly type: RuleType
  readonly compareType: CompareType
  readonly value: string
}

const ruleDefaults: RuleAttributes = { ...described, key: null, invert: false }

/** @throws Conflict `too-many-rules` */
export const createL7Rule = (l7PolicyId: string, input: NewL7Rule): Edit =>
  bounded((tree) => addL7Rule(tree, l7PolicyId, input))

/** Not bounded yet. */
export function addL7Rule(tree: Tree, l7PolicyId: string, input: NewL7Rule): Tree {
  required(tree.l7Policies, l7PolicyId, 'L7 policy')
  const { id, type, compareType, value } = input
  const attributes = changed(ruleDefaults, input, ruleDefaults)
  const rule: L7Rule = { ...newPart(tree, id), l7PolicyId, type, compareType, value, ...attributes }
  refuse(faultsOf(rule))
  return { ...tree, l7Rules: [...tree.l7Rules, rule] }
}

export const updateL7Rule = (l7PolicyId: string, id: string, input: L7RuleChange): Edit =>
  bounded((tree) => {
    const rule = requireRule(tree, l7PolicyId, id)
    const next = altered<L7Rule>(rule, {
      ...changed<RuleAttributes>(rule, input, ruleDefaults),
      type: input.type ?? rule.type,
      compareType: input.compareType ?? rule.compareType,
      value: input.value ?? rule.value,
    })
    refuse(faultsOf(next))
    return { ...tree, l7Rules: replaced(tree.l7Rules, next) }
  })

export const deleteL7Rule =
  (l7PolicyId: string, id: string): Edit =>
  (tree) => {
    requireRule(tree, l7PolicyId, id)
    return { ...tree, l7Rules: tree.l7Rules.filter((rule) => rule.id !== id) }
  }

function requireRule({ l7Policies, l7Rules }: Tree, l7PolicyId: string, id: string): L7Rule {
  required(l7Policies, l7PolicyId, 'L7 policy')
  const ofPolicy = l7Rules.filter((rule) => rule.l7PolicyId === l7PolicyId)
  return required(ofPolicy, id, 'L7 rule')
}

interface RuleShape {
  readonly compareTypes: readonly CompareType[]
  /** What its key must be; null: it has none to speak of. */
  readonly key: RegExp | null
  readonly value: RegExp
}

const anyComparison: readonly CompareType[] = ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO']
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const TEXT = /^[^\p{Cc}]+$/u
const COOKIE_VALUE = /^[^\p{Cc}\s",;\\]+$/u

const shapes: Readonly<Record<RuleType, RuleShape>> = {
  HOST_NAME: { compareTypes: anyComparison, key: null, value: TEXT },
  PATH: { compareTypes: anyComparison, key: null, value: TEXT },
  FILE_TYPE: { compareTypes: ['REGEX', 'EQUAL_TO'], key: null, value: TEXT },
  HEADER: { compareTypes: anyComparison, key: TOKEN, value: TEXT },
  COOKIE: { compareTypes: anyComparison, key: TOKEN, value: COOKIE_VALUE },
  SSL_CONN_HAS_CERT: { compareTypes: ['EQUAL_TO'], key: null, value: /^true$/i },
  SSL_VERIFY_RESULT: { compareTypes: ['EQUAL_TO'], key: null, value: /^\d{1,3}$/ },
  SSL_DN_FIELD: { compareTypes: anyComparison, key: /^[a-zA-Z]+$/, value: TEXT },
}

function faultsOf({ type, compareType, key, value }: L7Rule): FieldFault[] {
  const shape = shapes[type]
  const isRegex = compareType === 'REGEX'
  return [
    ...faultWhen(
      !shape.compareTypes.includes(compareType),
      'compareType',
      `a rule of type ${type} compares by ${shape.compareTypes.join(', ')}, not by ${compareType}`,
    ),
    ...faultWhen(shape.key !== null && !key, 'key', `a rule of type ${type} needs a key`),
    ...faultWhen(!!shape.key && !!key && !shape.key.test(key), 'key', `key cannot be that of a rule of type ${type}`),
    ...faultWhen(
      !(isRegex ? TEXT : shape.value).test(value),
      'value',
      `value cannot be that of a rule of type ${type}`,
    ),
    ...faultWhen(isRegex && !isExpression(value), 'value', 'value is no regular expression'),
  ]
}

/** Of PCRE, which those of JavaScript nearly are; what is set at the beginning, as `(?i)`, is PCRE's alone. */
function isExpression(value: string): boolean {
  try {
    return new RegExp(value.replace(/^\(\?[imsxU]+\)/, '')) !== null
  } catch {
    return false
  }
}
