import { configurationDiff } from '../../src/engine/balancing/plans/configuration-diff.js'
import { restore } from '../../src/engine/balancing/restore.js'
import type { StoredTree, Tree } from '../../src/engine/balancing/tree.js'
import { listenerOf, policyOf, poolOf, ruleOf, treeOf } from './support/imagined-tree.js'

const pool = poolOf()
const listener = listenerOf({ defaultPoolId: pool.id })
const policy = policyOf(listener.id)
const tree = treeOf({
  pools: [pool],
  listeners: [listener],
  l7Policies: [policy],
  l7Rules: [ruleOf(policy.id, { value: '/kept' })],
})

/** As the database gives a generation back. */
function stored({ loadBalancer, ...parts }: Tree): StoredTree {
  const { name, description, adminStateUp, tags } = loadBalancer
  const hidden = ['provisioningStatus', 'operatingStatus', 'generation', 'createdAt', 'updatedAt', 'projectId']
  const kept = JSON.stringify({ loadBalancer: { name, description, adminStateUp, tags }, ...parts }, (key, value) =>
    hidden.includes(key) ? undefined : value,
  )
  return JSON.parse(kept)
}

it('going back to what is leaves every row the object that it is', () => {
  const same = restore(stored(tree))(tree)
  expect(same.listeners[0]).toBe(listener)
  expect(same.pools[0]).toBe(pool)
  expect(same.l7Rules[0]).toBe(tree.l7Rules[0])
  expect(same.loadBalancer).toBe(tree.loadBalancer)
})

it('going back undoes what was changed, makes anew what has gone, and takes away what came', () => {
  const before = stored(tree)
  const came = poolOf()
  const now: Tree = {
    ...tree,
    loadBalancer: { ...tree.loadBalancer, name: 'other', generation: 7 },
    pools: [pool, came],
    listeners: [{ ...listener, defaultPoolId: came.id }],
    l7Policies: [],
    l7Rules: [],
  }
  const back = restore(before)(now)
  expect(back.loadBalancer).toMatchObject({ name: tree.loadBalancer.name, generation: 7 })
  expect(back.pools).toEqual([pool])
  expect(back.listeners).toEqual([listener])
  expect(back.l7Rules[0]).toMatchObject({
    id: tree.l7Rules[0]!.id,
    value: '/kept',
    provisioningStatus: 'PENDING_CREATE',
  })
  expect(back.l7Policies[0]).toMatchObject({ id: policy.id, projectId: now.loadBalancer.projectId })
})

describe('the difference of two configurations', () => {
  it('is empty where they are alike', () => {
    expect(configurationDiff('a\nb\n', 'a\nb\n')).toBe('')
  })

  it('shows lines that go and come, with a few around them', () => {
    const current = Array.from({ length: 20 }, (_, n) => `line ${n}\n`).join('')
    const diff = configurationDiff(current, current.replace('line 10', 'other'))
    expect(diff).toMatch(/^-line 10\n\+other$/m)
    expect(diff).toMatch(/^ line 7$/m)
    expect(diff).not.toMatch(/line 6$/m)
    expect(diff).toMatch(/^--- in force/m)
  })

  it('takes no long time for what has nothing in common', () => {
    const of = (name: string) => Array.from({ length: 20_000 }, (_, n) => `${name} ${n}\n`).join('')
    const diff = configurationDiff(of('a'), of('b'))
    expect(diff.match(/^-a/gm)).toHaveLength(20_000)
    expect(diff.match(/^\+b/gm)).toHaveLength(20_000)
  })
})
