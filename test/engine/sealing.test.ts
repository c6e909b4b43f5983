import { randomBytes } from 'node:crypto'
import { keyIdOf, SealBroken, Sealer, sealingKeyOf } from '../../src/engine/platform/sealing.js'

const [first, second] = [sealingKeyOf(randomBytes(32)), sealingKeyOf(randomBytes(32))]
const place = 'things.secret/1'

describe('a sealed secret', () => {
  it('opens with its key, where it was sealed', () => {
    const sealer = new Sealer(first)
    const sealed = sealer.seal('swordfish', place)
    expect(sealed).not.toContain('swordfish')
    expect(sealer.openText(sealed, place)).toBe('swordfish')
  })

  it('is another text each time', () => {
    const sealer = new Sealer(first)
    expect(sealer.seal('swordfish', place)).not.toBe(sealer.seal('swordfish', place))
  })

  it('does not open in another place', () => {
    const sealer = new Sealer(first)
    expect(() => sealer.open(sealer.seal('swordfish', place), 'things.secret/2')).toThrow(SealBroken)
  })

  it('does not open when any part of it was changed', () => {
    const sealer = new Sealer(first)
    const sealed = sealer.seal('swordfish', place)
    const start = sealed.lastIndexOf(':') + 1
    for (let at = start; at < sealed.length - 1; at += 3) {
      const other = sealed[at] === 'A' ? 'B' : 'A'
      expect(() => sealer.open(sealed.slice(0, at) + other + sealed.slice(at + 1), place)).toThrow(SealBroken)
    }
    expect(() => sealer.open('swordfish', place)).toThrow(SealBroken)
    expect(() => sealer.open(sealed.slice(0, start + 10), place)).toThrow(SealBroken)
  })

  it('opens with an older key, and is sealed with the current one', () => {
    const sealed = new Sealer(first).seal('swordfish', place)
    const rotated = new Sealer(second, [first])
    expect(rotated.openText(sealed, place)).toBe('swordfish')
    expect(keyIdOf(rotated.seal('swordfish', place))).toBe(second.id)
    expect(() => new Sealer(second).open(sealed, place)).toThrow(`key ${first.id}, which is not at hand`)
  })
})

describe('a mark', () => {
  it('knows its text again, for its use alone, with the key that made it or one that came after', () => {
    const mark = new Sealer(first).mark('swordfish', 'toys')
    const rotated = new Sealer(second, [first])
    expect(rotated.isMarkOf(mark, 'swordfish', 'toys')).toBe(true)
    expect(rotated.isMarkOf(mark, 'catfish', 'toys')).toBe(false)
    expect(rotated.isMarkOf(mark, 'swordfish', 'tools')).toBe(false)
    expect(new Sealer(second).isMarkOf(mark, 'swordfish', 'toys')).toBeNull()
    expect(rotated.isMarkOf('swordfish', 'swordfish', 'toys')).toBeNull()
  })

  it('is another with each key', () => {
    const digest = (mark: string) => mark.split(':').at(-1)
    expect(digest(new Sealer(first).mark('a', 'toys'))).not.toBe(digest(new Sealer(second).mark('a', 'toys')))
  })
})
