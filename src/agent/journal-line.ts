import { crc32 } from 'node:zlib'
import type { JournalRecord } from './journal-record.js'

/**
 * One record per line: `<crc32, 8 hex digits> <durable> <json>\n`. The checksum covers what follows it. `durable` is the
 * length of the file that was known to be on disk when the line was written: damage before it is damage to something
 * that was relied on, damage behind it is a write that a crash cut short.
 */
export function encodeLine(record: JournalRecord, durableBytes: number): string {
  const body = `${durableBytes} ${JSON.stringify(record)}`
  return `${checksum(body)} ${body}\n`
}

export interface JournalContents {
  readonly records: readonly JournalRecord[]
  /** The length up to which every line is whole. */
  readonly goodBytes: number
  /** True when the end of the file was cut off in the middle of a write. */
  readonly torn: boolean
  /** Where something is damaged that was once on disk; null when all is well. */
  readonly damagedAtByte: number | null
}

export function decodeJournal(bytes: Buffer): JournalContents {
  const records: JournalRecord[] = []
  let goodBytes = 0
  let reliedOnBytes = 0
  let intact = true
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start)
    const line = newline === -1 ? null : decodeLine(bytes.toString('utf8', start, newline))
    const end = newline === -1 ? bytes.length : newline + 1
    if (line === null) intact = false
    else reliedOnBytes = Math.max(reliedOnBytes, line.durableBytes)
    if (line !== null && intact) {
      records.push(line.record)
      goodBytes = end
    }
    start = end
  }
  const damaged = goodBytes < reliedOnBytes
  return { records, goodBytes, torn: !intact && !damaged, damagedAtByte: damaged ? goodBytes : null }
}

function decodeLine(line: string): { durableBytes: number; record: JournalRecord } | null {
  const match = /^([0-9a-f]{8}) ((\d+) (\{.*\}))$/s.exec(line)
  if (match === null || checksum(match[2]!) !== match[1]) return null
  // The checksum vouches that this is a record as `encodeLine` wrote it.
  return { durableBytes: Number(match[3]), record: JSON.parse(match[4]!) as JournalRecord }
}

const checksum = (text: string) => crc32(text).toString(16).padStart(8, '0')
