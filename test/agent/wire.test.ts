import 'reflect-metadata'
import { CommandMessage, InventoryItem, Observation, Report, Reports } from '../../src/wire/session.js'
import { clipped } from '../../src/wire/text.js'
import { parseWire, WireError } from '../../src/wire/validate.js'
import { command } from './support/commands.js'

const HALF = '\ud83d'
const OTHER_HALF = '\ude00'
const FACE = `${HALF}${OTHER_HALF}`

const report = (more: object) => ({ commandId: command().id, seq: 1, state: 'failed', ...more })

describe('a message', () => {
  it('is storable when it is parsed: U+FFFD stands for NUL and for half a surrogate pair, in texts and in keys', () => {
    const fault = { type: 'mount', message: `a\0b${HALF}c${OTHER_HALF}d${FACE}` }
    const result = { [`k\0${HALF}`]: [{ deep: OTHER_HALF }, 7, null, true] }
    const { reports } = parseWire(Reports, { epoch: 1, reports: [report({ fault, result })] })
    expect(reports[0]?.fault?.message).toBe(`a\ufffdb\ufffdc\ufffdd${FACE}`)
    expect(reports[0]?.result).toEqual({ 'k\ufffd\ufffd': [{ deep: '\ufffd' }, 7, null, true] })
    expect(JSON.stringify(reports)).not.toMatch(/\\u(0000|d[89a-f])/)
  })

  it('is taken as it is when there is nothing to replace, and is not changed itself when there is', () => {
    const clean = report({ result: { words: `${FACE}${FACE}\n\t` } })
    expect(parseWire(Report, clean)).toEqual(clean)
    const dirty = report({ result: { words: '\0' } })
    parseWire(Report, dirty)
    expect(dirty).toMatchObject({ result: { words: '\0' } })
  })

  it('brings no prototype with it when it is made storable', () => {
    const result: unknown = JSON.parse('{"__proto__":{"polluted":"\\u0000"}}')
    parseWire(Report, report({ result }))
    expect({}).not.toHaveProperty('polluted')
  })

  it('that is nested deeper than any has to be is refused, however deep it is', () => {
    for (const levels of [40, 5000]) {
      const result: unknown = JSON.parse(`${'{"a":'.repeat(levels)}"\\u0000"${'}'.repeat(levels)}`)
      expect(() => parseWire(Report, report({ result }))).toThrow(WireError)
    }
    const result: unknown = JSON.parse(`${'{"a":'.repeat(20)}"\\u0000"${'}'.repeat(20)}`)
    expect(JSON.stringify(parseWire(Report, report({ result })))).toContain('\ufffd')
  })
})

describe('an observation', () => {
  const old = { subject: 'storage-connection/a', generation: 1, status: 'UP', fault: null }

  it('of an agent that says no more than a status is what it was', () => {
    expect({ ...parseWire(Observation, old) }).toEqual(old)
  })

  it('may tell all of a thing, or that it is gone', () => {
    const told = { ...old, detail: { uri: 'local:///srv' }, gone: true }
    expect({ ...parseWire(Observation, told) }).toEqual(told)
    for (const bad of [{ detail: 'text' }, { gone: 'yes' }])
      expect(() => parseWire(Observation, { ...old, ...bad })).toThrow(WireError)
  })
})

describe('a subject', () => {
  const observation = (key: string) => ({
    subject: `storage-connection/${key}`,
    generation: 1,
    status: 'UP',
    fault: null,
  })

  it('may have a key of 255 characters, whatever plane they are of', () => {
    for (const key of [FACE.repeat(255), 'x'.repeat(255)]) {
      expect(parseWire(Observation, observation(key)).subject).toBe(`storage-connection/${key}`)
      const { subject } = observation(key)
      parseWire(CommandMessage, command({ subject }))
      parseWire(InventoryItem, { subject, generation: 1, status: 'UP', origin: 'plane', digest: 'd' })
    }
  })

  it('has no key of 256, and none with a slash', () => {
    for (const key of [FACE.repeat(256), 'x'.repeat(256), 'a/b', ''])
      expect(() => parseWire(Observation, observation(key))).toThrow('subject')
  })
})

describe('a text that is clipped', () => {
  it('never ends in half a surrogate pair', () => {
    expect(clipped(`abc${FACE}`, 4)).toBe('abc')
    expect(clipped(`abc${FACE}`, 5)).toBe(`abc${FACE}`)
    expect(clipped(`abc${HALF}`, 5)).toBe('abc\ufffd')
    expect(clipped('a\0b', 2)).toBe('a\ufffd')
  })
})
