/** Blocks of the whiteboard (facts of oVirt's broker): that of host n stands at n × 4,096; 0 is the cluster's. */
export const BLOCK_BYTES = 4096
export const MAX_HOST_ID = 2000
export const BLOCKS = MAX_HOST_ID + 1
export const WHITEBOARD_BYTES = BLOCKS * BLOCK_BYTES
/** Host id of the cluster's own block, which holds global maintenance. */
export const CLUSTER = 0

const EMPTY = Buffer.alloc(BLOCK_BYTES)

export const isEmpty = (block: Uint8Array): boolean => EMPTY.equals(block)

/** @throws RangeError where it does not fit: what is too long would be the next host's */
export function padded(content: Uint8Array): Buffer {
  if (content.length > BLOCK_BYTES) throw new RangeError(`${content.length} bytes do not fit a block of ${BLOCK_BYTES}`)
  const block = Buffer.alloc(BLOCK_BYTES)
  block.set(content)
  return block
}
