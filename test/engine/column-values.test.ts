import pg from 'pg'
import { columnValues } from '../../src/engine/platform/column-values.js'

const TIMESTAMPTZ = 1184
const TEXT_ARRAY = 1009
const UUID_ARRAY = 2951

const texts: readonly (readonly [oid: number, text: string])[] = [
  [TIMESTAMPTZ, '2026-01-31 12:34:56+00'],
  [TIMESTAMPTZ, '2026-01-31 12:34:56.7+00'],
  [TIMESTAMPTZ, '2026-01-31 12:34:56.07+00'],
  [TIMESTAMPTZ, '2024-02-29 23:59:59.999999+00'],
  [TIMESTAMPTZ, '1969-12-31 23:59:59.001+00'],
  [TIMESTAMPTZ, '2026-01-31 12:34:56.123456+05:30'],
  [TIMESTAMPTZ, '2026-01-31 12:34:56.123456-03'],
  [TIMESTAMPTZ, '0044-03-15 12:00:00+00'],
  [TIMESTAMPTZ, '0044-03-15 12:00:00+00 BC'],
  [TIMESTAMPTZ, '12026-01-31 12:34:56.123456+00'],
  [TIMESTAMPTZ, 'infinity'],
  [TIMESTAMPTZ, '-infinity'],
  [TEXT_ARRAY, '{}'],
  [TEXT_ARRAY, '{a,"b c",NULL,"{}"}'],
  [UUID_ARRAY, '{}'],
  [UUID_ARRAY, '{00000000-0000-4000-8000-000000000001}'],
]

describe('values of columns', () => {
  it.each(texts)('of type %d, %s is what the driver reads', (oid, text) => {
    const of = (types: Pick<typeof pg.types, 'getTypeParser'>): unknown => types.getTypeParser(oid, 'text')(text)
    expect(of(columnValues)).toEqual(of(pg.types))
  })

  it("are the driver's own for every other type", () => {
    for (const [oid, text] of [
      [20, '12'],
      [16, 't'],
      [3802, '{"a":1}'],
      [25, 'text'],
    ] as const)
      expect(columnValues.getTypeParser(oid, 'text')(text)).toEqual(pg.types.getTypeParser(oid, 'text')(text))
  })
})
