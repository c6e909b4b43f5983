/** What a trial has measured, printed as a plain table at its end. */
export class Figures {
  private readonly rows: [string, string][] = []

  constructor(private readonly title: string) {}

  add(what: string, value: string | number): void {
    this.rows.push([what, typeof value === 'number' ? value.toLocaleString('en') : value])
  }

  print(): void {
    const width = Math.max(...this.rows.map(([what]) => what.length))
    const lines = this.rows.map(([what, value]) => `  ${what.padEnd(width)}  ${value}`)
    process.stdout.write(`\n${[this.title, ...lines].join('\n')}\n`)
  }
}

/** The value that `share` of the sorted values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export const inMs = (values: readonly number[]): string =>
  `p50 ${quantile(values, 0.5).toFixed(1)} ms, p95 ${quantile(values, 0.95).toFixed(1)} ms, max ${quantile(values, 1).toFixed(1)} ms (${values.length})`
