import { byPlane } from '../../src/engine/identity/audit-drafts.js'
import { AuditFlood } from '../../src/engine/identity/audit-flood.js'
import { startTestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'

const draft = (change: object = {}) => ({
  ...byPlane('toys.create', '/toys'),
  userName: 'anonymous',
  address: '192.0.2.7',
  method: 'POST',
  status: 401,
  ...change,
})

describe('what an address is refused', () => {
  it('has 600 rows a minute, and then one that says how many there were', () => {
    const flood = new AuditFlood()
    const admitted = Array.from({ length: 1_000 }, () => flood.admits(draft())).filter(Boolean)
    expect(admitted).toHaveLength(600)
    expect([flood.isOver('192.0.2.7'), flood.isOver('192.0.2.8')]).toEqual([true, false])
    expect(flood.take()).toMatchObject([
      {
        operation: 'audit.folded',
        address: '192.0.2.7',
        status: 401,
        path: '400 more refused calls have no rows of their own',
      },
    ])
    expect(flood.take()).toEqual([])
  })

  it('takes no row from anybody else, from who has signed in, nor from the plane', () => {
    const flood = new AuditFlood()
    while (flood.admits(draft()));
    expect(flood.admits(draft({ address: '192.0.2.8' }))).toBe(true)
    expect(flood.admits(draft({ userId: 'kim', status: 403 }))).toBe(true)
    expect(flood.admits(draft({ userId: 'kim', status: 429 }))).toBe(false)
    expect(flood.admits(byPlane('audit.lost', 'x'))).toBe(true)
  })

  it('is one row for all where the addresses are too many to tell apart', () => {
    const flood = new AuditFlood()
    for (let n = 0; n < 1_002; n++) {
      for (let i = 0; i <= 600; i++) flood.admits(draft({ address: `10.0.${n >> 8}.${n & 255}` }))
    }
    const rows = flood.take()
    expect(rows).toHaveLength(1_001)
    expect(rows.at(-1)).toMatchObject({ address: 'several', path: expect.stringMatching(/^2 more/) })
  })
})

it('writes no more of a flood than its beginning and its size', async () => {
  const engine = await startTestEngine()
  try {
    const stranger = http(engine.url)
    const ask = () => stranger.post('/api/v1/nothing', {}, { undocumented: true })
    for (let n = 0; n < 14; n++) await Promise.all(Array.from({ length: 50 }, ask))
    await eventually(
      async () => {
        const rows = await engine.query(
          `SELECT operation, path FROM audit_entries WHERE user_name = 'anonymous' ORDER BY seq`,
        )
        const folded = rows.filter(({ operation }) => operation === 'audit.folded')
        expect(rows).toHaveLength(600 + folded.length)
        // whoever is still asking while the first rows are written is told of by the next
        expect(folded.length).toBeLessThanOrEqual(3)
        expect(folded.reduce((sum, { path }) => sum + Number.parseInt(path, 10), 0)).toBe(100)
        expect(folded[0]?.path).toMatch(/^\d+ more refused calls have no rows of their own$/)
      },
      { timeoutMs: 40_000 },
    )
  } finally {
    await engine.stop()
  }
})
