import 'reflect-metadata'
import { fullTree, type TreeInput } from '../../src/engine/balancing/edits/full-tree.js'
import type { DomainError } from '../../src/engine/platform/errors.js'
import { emptyTree } from './support/balancer-tree.js'

const web = { name: 'web', protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' } as const
const listener = { protocol: 'HTTP', protocolPort: 80 } as const

const shop: TreeInput = {
  listeners: [
    {
      ...listener,
      defaultPool: {
        ...web,
        members: [{ address: '192.0.2.1', protocolPort: 80 }],
        healthMonitor: { type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2 },
      },
      l7Policies: [
        {
          action: 'REDIRECT_TO_POOL',
          redirectPool: { name: 'api' },
          rules: [{ type: 'PATH', compareType: 'STARTS_WITH', value: '/api' }],
        },
        { action: 'REJECT' },
      ],
    },
    { protocol: 'HTTP', protocolPort: 8080, defaultPool: { name: 'web' } },
  ],
  pools: [{ name: 'api', protocol: 'HTTP', lbAlgorithm: 'LEAST_CONNECTIONS' }],
}

function refusal(input: TreeInput): DomainError & { faults?: { field: string }[] } {
  try {
    fullTree(input)(emptyTree())
  } catch (error) {
    return error as DomainError
  }
  throw new Error('it was not refused')
}

describe('a full tree', () => {
  it('makes all of it, and leads to pools by their names', () => {
    const tree = fullTree(shop)(emptyTree())
    const ids = Object.fromEntries(tree.pools.map(({ name, id }) => [name, id]))
    expect(tree.listeners.map(({ defaultPoolId }) => defaultPoolId)).toEqual([ids.web, ids.web])
    expect(tree.l7Policies).toMatchObject([{ position: 1, redirectPoolId: ids.api }, { position: 2 }])
    expect(tree).toMatchObject({
      members: [{ poolId: ids.web, weight: 1 }],
      healthMonitors: [{ poolId: ids.web, urlPath: '/' }],
      l7Rules: [{ l7PolicyId: tree.l7Policies[0]?.id, value: '/api' }],
    })
  })

  it('may be of nothing', () => {
    expect(fullTree({})(emptyTree())).toMatchObject({ listeners: [], pools: [] })
  })

  it.each<[string, TreeInput, string]>([
    ['two pools of one name', { pools: [web, web] }, 'pools[1].name'],
    ['a pool without a name', { pools: [{ ...web, name: '' }] }, 'pools[0].name'],
    [
      'a name that no pool has',
      { listeners: [{ ...listener, defaultPool: { name: 'x' } }] },
      'listeners[0].defaultPool.name',
    ],
    [
      'a pool that does not fit',
      { listeners: [{ ...listener, defaultPool: { ...web, protocol: 'TCP' } }] },
      'listeners[0].defaultPoolId',
    ],
    [
      'a rule that cannot be',
      {
        listeners: [
          {
            ...listener,
            l7Policies: [{ action: 'REJECT', rules: [{ type: 'HEADER', compareType: 'REGEX', value: 'x' }] }],
          },
        ],
      },
      'listeners[0].l7Policies[0].rules[0].key',
    ],
  ])('refuses %s by its path', (_, input, field) => {
    expect(refusal(input).faults?.map((fault) => fault.field)).toEqual([field])
  })

  it('refuses two listeners of one port and two members of one address', () => {
    expect(refusal({ listeners: [listener, listener] })).toMatchObject({ type: 'port-taken' })
    const member = { address: '192.0.2.1', protocolPort: 80 }
    expect(refusal({ pools: [{ ...web, members: [member, member] }] })).toMatchObject({ type: 'member-taken' })
  })

  it('is bounded before it is made', () => {
    const l7Policies = Array.from({ length: 101 }, () => ({ action: 'REJECT' as const }))
    const listeners = Array.from({ length: 10 }, (_, index) => ({ ...listener, protocolPort: index + 1, l7Policies }))
    expect(refusal({ listeners })).toMatchObject({ type: 'too-many-policies' })
  })
})
