import { setImmediate as turn } from 'node:timers/promises'
import { Gatherer } from '../../src/engine/platform/gatherer.js'

/** Of a batch that waits for others: longer than any test is meant to take. */
const FOR_EVER = 60_000

function gatherer(lingerMs?: number) {
  const batches: number[][] = []
  const held: (() => void)[] = []
  const gathering = new Gatherer<number, number>({
    name: 'numbers',
    maxBatch: 100,
    maxWaiting: 1_000,
    lingerMs,
    write: async (items) => {
      batches.push([...items])
      await new Promise<void>((go) => held.push(go))
      return items
    },
  })
  const letGo = async () => {
    await turn()
    for (const go of held.splice(0)) go()
    await turn()
  }
  return { batches, letGo, submit: (...items: number[]) => gathering.submit(items) }
}

describe('a gatherer', () => {
  it.each([undefined, FOR_EVER])('makes a single one wait for nobody (lingering %s ms)', async (lingerMs) => {
    const { batches, letGo, submit } = gatherer(lingerMs)
    for (const n of [1, 2, 3]) {
      const written = submit(n)
      await letGo()
      expect(await written).toEqual([n])
    }
    expect(batches).toEqual([[1], [2], [3]])
  })

  it('writes together what comes while the batch before is being written', async () => {
    const { batches, letGo, submit } = gatherer()
    const first = submit(1)
    await turn()
    const others = [submit(2), submit(3)]
    await letGo()
    await letGo()
    expect(await Promise.all([first, ...others])).toEqual([[1], [2], [3]])
    expect(batches).toEqual([[1], [2, 3]])
  })

  it('lets the first of many who are answered together wait for the others', async () => {
    const { batches, letGo, submit } = gatherer(FOR_EVER)
    // eight at once, twice: so many are expected again
    for (let round = 0; round < 4; round++) {
      const all = submit(...Array.from({ length: 8 }, (_, n) => n))
      await letGo()
      await all
    }
    const early = submit(1)
    await turn()
    expect(batches.at(-1)).toHaveLength(8)
    const late = submit(2, 3, 4, 5, 6, 7)
    await letGo()
    await Promise.all([early, late])
    expect(batches.at(-1)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('expects nobody for longer than it lingers', async () => {
    const { batches, letGo, submit } = gatherer(5)
    const all = submit(1, 2, 3, 4, 5, 6, 7, 8)
    await letGo()
    await all
    const alone = submit(9)
    while (batches.length < 2) await turn()
    await letGo()
    expect(await alone).toEqual([9])
  })
})
