import type { LoadBalancerIntent } from '../../../src/wire/balancing/intent.js'
import { compareTypes, type RuleType } from '../../../src/wire/balancing/terms.js'
import { aBalancer, aListener, aMember, aMonitor, aPolicy, aPool, aRule } from './nginx-intents.js'

/** What would be more than a text if it were written down as it is. */
export const hostileTexts: readonly string[] = [
  '"; } server { listen 127.0.0.1:1; } #',
  "'; } }",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: to nginx it would be a variable
  '$request_uri${host}$',
  '\\"; }',
  '\\',
  '{}',
  ';',
  'a\nb;\r\n}',
  '# nothing',
  'ü 漢',
  '~* default',
  '(?:',
]

const types: readonly RuleType[] = ['HOST_NAME', 'PATH', 'FILE_TYPE', 'HEADER', 'COOKIE']

/** It stands wherever a user's text may: but for line breaks in addresses, which are refused. */
export function hostileBalancer(text: string): LoadBalancerIntent {
  const rules = types.flatMap((type, at) =>
    compareTypes.map((compareType, nth) =>
      aRule(at * 10 + nth, { type, compareType, key: type === 'COOKIE' ? text : 'X-A', value: text }),
    ),
  )
  const bare = text.replaceAll(/[\r\n]/g, '')
  const policies = [
    aPolicy(1, rules, { action: 'REDIRECT_TO_URL', redirectUrl: `http://a/${bare}` }),
    aPolicy(2, rules.slice(0, 1), { action: 'REDIRECT_PREFIX', redirectPrefix: `http://a/${bare}` }),
  ]
  const monitor = aMonitor({ urlPath: bare.replaceAll(' ', ''), domainName: bare })
  const pool = aPool(1, [aMember(1, 8001)], { monitor, persistence: { type: 'SOURCE_IP', cookieName: text } })
  return aBalancer([aListener(1, 8080, { policies })], [pool], { name: text })
}
