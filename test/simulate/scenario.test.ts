import 'reflect-metadata'
import { readFileSync } from 'node:fs'
import { hostMatcher, textMatcher } from '../../src/simulate/host-selector.js'
import { seededRandom, shuffled } from '../../src/simulate/random.js'
import { parseScenario } from '../../src/simulate/scenario.js'

const faultsOf = (scenario: unknown): string => {
  try {
    parseScenario(scenario)
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

describe('a scenario', () => {
  it('may be empty', () => {
    expect(parseScenario({})).toEqual({ seed: null, rules: [], steps: [] })
  })

  it('is filled up with what each fault does by default', () => {
    const { rules } = parseScenario({ rules: [{ fault: 'vanish', hosts: 'sim-1*', params: { everyMs: 60_000 } }] })
    expect(rules).toEqual([
      {
        hosts: 'sim-1*',
        fault: 'vanish',
        params: { forMs: 5000, everyMs: 60_000 },
        kinds: null,
        probability: 1,
        fromMs: 0,
        untilMs: null,
        times: null,
      },
    ])
  })

  it('has its steps in the order of their time', () => {
    const { steps } = parseScenario({
      steps: [
        { at: 20, do: 'up' },
        { at: 10, do: 'down' },
      ],
    })
    expect(steps.map((step) => step.do)).toEqual(['down', 'up'])
  })

  it('is refused with everything that is wrong with it at once', () => {
    const text = faultsOf({
      rule: [],
      rules: [
        { fault: 'slow', params: { delay: 5 } },
        { fault: 'sleepy' },
        { fault: 'refuse', kinds: ['storage.mange'], probability: 2, times: 0 },
      ],
      steps: [{ at: -1, do: 'return', params: {} }, 7],
    })
    expect(text).toContain('rule is not known; known are seed, rules, steps')
    expect(text).toContain('rules[0].params: delay is not known; known are delayMs, spreadMs, deaf')
    expect(text).toContain('rules[0].params.delayMs must be milliseconds')
    expect(text).toContain('rules[1].fault must be one of slow, refuse')
    expect(text).toContain('rules[2].kinds must be a list of storage.manage')
    expect(text).toContain('rules[2].probability must be a number from 0 to 1, not 2')
    expect(text).toContain('rules[2].times must be a whole number from 1 on, not 0')
    expect(text).toContain('steps[0].at must be milliseconds, not -1')
    expect(text).toContain('steps[0].params: return takes none')
    expect(text).toContain('steps[1] must be an object')
  })

  it('knows no field by the name of something that every object has', () => {
    expect(faultsOf({ rules: [{ fault: 'toString' }] })).toContain('rules[0].fault must be')
    expect(faultsOf(JSON.parse('{"__proto__": {}}'))).toContain('__proto__ is not known')
  })

  it('is the one in the guide', () => {
    const guide = readFileSync('docs/simulator.md', 'utf8')
    const examples = [...guide.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text!))
    expect(examples.length).toBeGreaterThan(0)
    expect(examples.map(faultsOf)).toEqual(examples.map(() => ''))
  })
})

describe('a selector of hosts', () => {
  it.each([
    ['*', ['a', 'sim-1'], []],
    ['sim-1*', ['sim-1', 'sim-10'], ['sim-2', 'asim-1']],
    ['sim-[2-10]', ['sim-2', 'sim-10'], ['sim-1', 'sim-11', 'sim-', 'sim-2x']],
    ['r[1-2]-h[5-6]', ['r1-h6'], ['r3-h5', 'r1-h7']],
    ['a.?', ['a.b'], ['axb', 'a.']],
  ])('%s means some and not others', (pattern, these, others) => {
    expect(these.filter(textMatcher(pattern))).toEqual(these)
    expect(others.filter(textMatcher(pattern))).toEqual([])
  })

  it('by share picks about that many, and the same for the same seed', () => {
    const names = Array.from({ length: 2000 }, (_, index) => `sim-${index}`)
    const picked = names.filter(hostMatcher(0.1, 7, 'rules/0'))
    expect(picked.length).toBeGreaterThan(140)
    expect(picked.length).toBeLessThan(260)
    expect(names.filter(hostMatcher(0.1, 7, 'rules/0'))).toEqual(picked)
    expect(names.filter(hostMatcher(0.1, 8, 'rules/0'))).not.toEqual(picked)
    expect(names.filter(hostMatcher(0.1, 7, 'rules/1'))).not.toEqual(picked)
  })
})

describe('chance', () => {
  it('is spread evenly, and drawn alike for the same seed and name', () => {
    const draw = (seed: number, name: string) => Array.from({ length: 4000 }, seededRandom(seed, name))
    const numbers = draw(3, 'a')
    expect(draw(3, 'a')).toEqual(numbers)
    expect(draw(3, 'b')).not.toEqual(numbers)
    expect(numbers.reduce((sum, number) => sum + number) / numbers.length).toBeCloseTo(0.5, 1)
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  })

  it('shuffles without losing anything', () => {
    const items = Array.from({ length: 50 }, (_, index) => index)
    const result = shuffled(items, seededRandom(1))
    expect(result).not.toEqual(items)
    expect(result.toSorted((a, b) => a - b)).toEqual(items)
  })
})
