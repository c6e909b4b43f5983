import { type Bound, type Figure, isMet } from './figures.js'

const HEADINGS = ['bench', 'figure', 'measured', 'rounds', 'limit', 'ratio', 'bound', 'met']
const COLUMNS_LEFT = 2

/** The figures as text, a line each, their notes below. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = [HEADINGS, ...figures.map(cellsOf)]
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column))
      .join('  ')
      .trimEnd(),
  )
  const notes = figures.filter((f) => f.note ?? f.limit).map((f) => `  ${f.bench}, ${f.name}: ${noteOf(f)}`)
  return [...lines, '', ...notes].join('\n')
}

function cellsOf(figure: Figure): string[] {
  const { bench, name, value, unit, spread, limit, ratio, bound } = figure
  return [
    bench,
    name,
    `${digits(value)} ${unit}`,
    spread ? `${digits(spread[0])}–${digits(spread[1])}` : '',
    limit ? `${digits(limit.value)} ${unit}` : '',
    ratio === undefined ? '' : ratio.toFixed(2),
    bound ? textOf(bound) : '',
    { true: 'yes', false: 'no', null: '' }[String(isMet(figure)) as 'true' | 'false' | 'null'],
  ]
}

const noteOf = ({ limit, note }: Figure): string =>
  [limit ? `limit: ${limit.what}` : '', note ?? ''].filter(Boolean).join('; ')

function textOf({ of, atLeast, atMost }: Bound): string {
  const what = of === 'ratio' ? 'ratio ' : ''
  if (atLeast !== undefined) return `${what}≥ ${atLeast}`
  return `${what}≤ ${atMost}`
}

const pad = (text: string, width: number, column: number): string =>
  column < COLUMNS_LEFT ? text.padEnd(width) : text.padStart(width)

function digits(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}
