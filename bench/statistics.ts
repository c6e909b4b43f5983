/** The value below which the share `p` (0 to 1) of the samples lies: nearest rank. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const rank = Math.max(0, Math.ceil(p * sorted.length) - 1)
  const value = sorted[rank]
  if (value === undefined) throw new Error('no samples')
  return value
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5)

export const spreadOf = (samples: readonly number[]): [number, number] => [Math.min(...samples), Math.max(...samples)]
