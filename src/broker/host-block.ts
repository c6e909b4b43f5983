import { crc32 } from 'node:zlib'
import { BLOCK_BYTES } from './whiteboard/layout.js'

/** Bytes for the tokens; readable text for people stands behind them. */
const TOKENS_BYTES = 512
const METADATA_VERSION = 1
const FEATURE_VERSION = 1
const NO_CRC = '00000000'
const CRC_AT = 9

/** What a host says of itself on the whiteboard (facts of oVirt's broker). */
export interface HostStats {
  /** The host's own clock, in seconds: only that it changes has a meaning to others. */
  readonly timestamp: number
  readonly hostId: number
  readonly score: number
  /** JSON text. */
  readonly engineStatus: string
  readonly hostName: string
  readonly maintenance: boolean
  readonly stopped: boolean
  /** Whether the configuration is on shared storage. */
  readonly configurationShared: boolean
  readonly configurationTimestamp: number
}

export type ParsedHostBlock =
  | { readonly stats: HostStats; readonly text: string }
  /** Why nobody should believe it. */
  | { readonly rejected: string }

/** @returns a block of 4,096 bytes; text that is too long ends before a character, never in one. @throws RangeError where the tokens do not fit */
export function renderHostBlock(stats: HostStats, text: string): Buffer {
  const tokens = tokensOf(stats)
  const line = Buffer.from([...tokens.slice(0, CRC_AT), checksum(tokens), ...tokens.slice(CRC_AT + 1)].join('|'))
  if (line.length > TOKENS_BYTES)
    throw new RangeError(`${line.length} bytes do not fit the ${TOKENS_BYTES} of a host's tokens`)
  const block = Buffer.alloc(BLOCK_BYTES)
  block.set(line)
  block.set(cutToBytes(text, BLOCK_BYTES - TOKENS_BYTES), TOKENS_BYTES)
  return block
}

export function parseHostBlock(block: Uint8Array): ParsedHostBlock {
  if (block.length < BLOCK_BYTES) return { rejected: `${block.length} bytes are less than a block` }
  const bytes = Buffer.from(block.buffer, block.byteOffset, BLOCK_BYTES)
  const line = untilNul(bytes.subarray(0, TOKENS_BYTES))
  // tokens after the twelfth are of a later feature version
  const tokens = line.split('|')
  if (tokens.length < 12) return { rejected: `${tokens.length} tokens instead of 12` }
  if (Number(tokens[0]) > METADATA_VERSION)
    return { rejected: `metadata version ${tokens[0]} is newer than ${METADATA_VERSION}` }
  const expected = checksum(tokens)
  if (tokens[CRC_AT] !== expected) return { rejected: `its checksum is ${tokens[CRC_AT]}, not ${expected}` }
  return {
    stats: {
      timestamp: Number(tokens[2]),
      hostId: Number(tokens[3]),
      score: Number(tokens[4]),
      engineStatus: tokens[5]!,
      hostName: tokens[6]!,
      maintenance: tokens[7] === '1',
      stopped: tokens[8] === '1',
      configurationShared: tokens[10] === '1',
      configurationTimestamp: Number(tokens[11]),
    },
    text: untilNul(bytes.subarray(TOKENS_BYTES)),
  }
}

/** CRC-32 over the tokens, with zeros in its own place: eight hexadecimal digits. */
export const checksum = (tokens: readonly string[]): string =>
  crc32([...tokens.slice(0, CRC_AT), NO_CRC, ...tokens.slice(CRC_AT + 1)].join('|'))
    .toString(16)
    .padStart(8, '0')

/** The block of the cluster: its NUL-padded lines. */
export const renderClusterBlock = (maintenance: boolean): Buffer => Buffer.from(`maintenance=${maintenance ? 1 : 0}\n`)

export const isGlobalMaintenance = (block: Uint8Array | undefined): boolean =>
  block !== undefined && /^maintenance=1$/m.test(untilNul(Buffer.from(block)))

function tokensOf(stats: HostStats): string[] {
  const bit = (value: boolean) => (value ? '1' : '0')
  return [
    String(METADATA_VERSION),
    String(FEATURE_VERSION),
    String(stats.timestamp),
    String(stats.hostId),
    String(stats.score),
    stats.engineStatus,
    stats.hostName,
    bit(stats.maintenance),
    bit(stats.stopped),
    NO_CRC,
    bit(stats.configurationShared),
    String(stats.configurationTimestamp),
  ].map((token) => token.replaceAll('|', '_'))
}

function cutToBytes(text: string, maxBytes: number): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return bytes
  let end = maxBytes
  // a byte 10xxxxxx continues a character
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.subarray(0, end === -1 ? bytes.length : end).toString('utf8')
}
