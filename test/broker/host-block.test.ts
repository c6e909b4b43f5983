import {
  checksum,
  type HostStats,
  isGlobalMaintenance,
  parseHostBlock,
  renderClusterBlock,
  renderHostBlock,
} from '../../src/broker/host-block.js'

const stats: HostStats = {
  timestamp: 10,
  hostId: 1,
  score: 3400,
  engineStatus: '{"vm": "up", "health": "good", "detail": "Up"}',
  hostName: 'h1',
  maintenance: false,
  stopped: false,
  configurationShared: true,
  configurationTimestamp: 99,
}

describe("a host's block", () => {
  it("has the original's checksum", () => {
    expect(
      checksum('1|1|10|1|3400|{"vm": "up", "health": "good", "detail": "Up"}|h1|0|0|00000000|1|99'.split('|')),
    ).toBe('5e3eb4c2')
    expect(renderHostBlock(stats, '').toString('utf8')).toContain('|h1|0|0|5e3eb4c2|1|99\0')
  })

  it('comes back as it went, whatever the host is called', () => {
    const named = { ...stats, hostName: 'hosté-日本', maintenance: true }
    const block = renderHostBlock(named, 'all is well\n')
    expect(block).toHaveLength(4096)
    expect(parseHostBlock(block)).toEqual({ stats: named, text: 'all is well\n' })
  })

  it('ends a text that is too long before a character, never in one', () => {
    for (const text of ['é'.repeat(4000), `x${'é'.repeat(4000)}`, '日'.repeat(4000), `${'x'.repeat(3582)}💾`]) {
      const parsed = parseHostBlock(renderHostBlock(stats, text))
      expect(parsed).toMatchObject({ stats })
      if ('text' in parsed) {
        expect(text.startsWith(parsed.text)).toBe(true)
        expect(Buffer.byteLength(parsed.text)).toBeGreaterThan(3580)
      }
    }
  })

  it('refuses tokens that do not fit, and text never reaches them', () => {
    expect(() => renderHostBlock({ ...stats, hostName: 'h'.repeat(512) }, '')).toThrow(RangeError)
  })

  it('is rejected when a byte of the tokens has flipped', () => {
    const block = renderHostBlock(stats, 'text')
    for (const at of [0, 4, 9, 30, 60]) {
      const flipped = Buffer.from(block)
      flipped[at]! ^= 1
      expect(parseHostBlock(flipped)).toHaveProperty('rejected')
    }
  })

  it('is rejected when it is shorter than a block, or of a later version', () => {
    expect(parseHostBlock(renderHostBlock(stats, '').subarray(0, 4095))).toHaveProperty('rejected')
    expect(parseHostBlock(Buffer.alloc(4096))).toHaveProperty('rejected')
    const later = renderHostBlock(stats, '')
    later[0] = '2'.charCodeAt(0)
    expect(parseHostBlock(later)).toMatchObject({ rejected: expect.stringContaining('version 2') })
  })
})

describe("the cluster's block", () => {
  it('says whether there is global maintenance', () => {
    expect(isGlobalMaintenance(renderClusterBlock(true))).toBe(true)
    expect(isGlobalMaintenance(Buffer.concat([renderClusterBlock(false), Buffer.alloc(4000)]))).toBe(false)
    expect(isGlobalMaintenance(undefined)).toBe(false)
  })
})
