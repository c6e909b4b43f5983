import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LoadBalancerIntent } from '../../../../wire/balancing/intent.js'
import { writeFileAtomically } from '../../../host/write-file.js'
import type { VipPlace } from '../../../networks/vip-place.js'
import type { ServedCertificate } from './certificates.js'

/** What is in force, as the disk holds it: no secrets. */
export interface BalancerRecord {
  /** New with each writing: who finds another one than its own has been followed by somebody else. */
  readonly stamp: string
  readonly balancer: LoadBalancerIntent
  /** Members that had been seen well, by id. */
  readonly seenWell: readonly string[]
  readonly certificates: readonly (readonly [id: string, ServedCertificate])[]
  readonly place: VipPlace
  /** Of the configuration, once it was seen to be in force. */
  readonly digest: string
}

const path = (directory: string) => join(directory, 'record.json')

/** Null: nothing was ever in force here. */
export async function readRecord(directory: string): Promise<BalancerRecord | null> {
  try {
    // written by `writeRecord` alone
    return JSON.parse(await readFile(path(directory), 'utf8')) as BalancerRecord
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export async function writeRecord(directory: string, content: Omit<BalancerRecord, 'stamp'>): Promise<BalancerRecord> {
  const record = { stamp: randomUUID(), ...content }
  await writeFileAtomically(path(directory), JSON.stringify(record))
  return record
}
