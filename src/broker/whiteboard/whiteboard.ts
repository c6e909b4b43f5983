import { fault } from '../fault-codes.js'
import type { WhiteboardIo } from './io.js'
import { isEmpty, MAX_HOST_ID, padded } from './layout.js'

interface Waiting {
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

interface Batch {
  readonly blocks: Map<number, Buffer>
  readonly waiting: Waiting[]
}

const newBatch = (): Batch => ({ blocks: new Map(), waiting: [] })

export interface WhiteboardHealth {
  /** Of the last look or write; null before the first. */
  readonly isGood: boolean | null
  readonly reason: string | null
  /** By the monotonic clock, in milliseconds. */
  readonly atMs: number | null
}

/**
 * Blocks by host id. Writes that come while one is under way are gathered: of each block the last one wins, and everybody
 * is answered once it is on the storage. Readers who come together share a look that began after they asked.
 */
export class Whiteboard {
  private blocks = new Map<number, Buffer>()
  private next = newBatch()
  private writing = false
  private looking: Promise<ReadonlyMap<number, Buffer>> | null = null
  private following: Promise<ReadonlyMap<number, Buffer>> | null = null
  private seen: WhiteboardHealth = { isGood: null, reason: null, atMs: null }

  constructor(private readonly io: WhiteboardIo) {}

  get health(): WhiteboardHealth {
    return this.seen
  }

  /** @throws XmlRpcFault tooLarge, hostIdOutOfRange, storageUnavailable, storageStuck */
  write(hostId: number, content: Uint8Array): Promise<void> {
    const block = blockOf(hostId, content)
    return new Promise((done, failed) => {
      this.next.blocks.set(hostId, block)
      this.next.waiting.push({ done, failed })
      if (!this.writing) void this.writeAll()
    })
  }

  /** @returns blocks that are not empty. @throws XmlRpcFault storageUnavailable, storageStuck */
  read(): Promise<ReadonlyMap<number, Buffer>> {
    if (this.looking === null) return this.begin()
    // the look that is under way may have passed what the caller knows to be there
    this.following ??= this.looking
      .catch(() => undefined)
      .then(() => {
        this.following = null
        return this.begin()
      })
    return this.following
  }

  close(): void {
    this.io.close()
  }

  private begin(): Promise<ReadonlyMap<number, Buffer>> {
    const look = this.look()
    const ended = () => {
      if (this.looking === look) this.looking = null
    }
    look.then(ended, ended)
    this.looking = look
    return look
  }

  private async look(): Promise<ReadonlyMap<number, Buffer>> {
    const { changed, isFresh } = await this.noted(() => this.io.read())
    const blocks = isFresh ? new Map<number, Buffer>() : new Map(this.blocks)
    for (const [id, block] of changed) {
      if (isEmpty(block)) blocks.delete(id)
      else blocks.set(id, Buffer.from(block.buffer, block.byteOffset, block.length))
    }
    this.blocks = blocks
    return blocks
  }

  private async writeAll(): Promise<void> {
    this.writing = true
    await Promise.resolve()
    while (this.next.waiting.length > 0) {
      const batch = this.next
      this.next = newBatch()
      await this.noted(() => this.io.write(batch.blocks)).then(
        () => {
          for (const { done } of batch.waiting) done()
        },
        (error: unknown) => {
          for (const { failed } of batch.waiting) failed(error)
        },
      )
    }
    this.writing = false
  }

  private async noted<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      this.seen = { isGood: true, reason: null, atMs: performance.now() }
      return result
    } catch (error) {
      this.seen = { isGood: false, reason: (error as Error).message, atMs: performance.now() }
      throw error
    }
  }
}

function blockOf(hostId: number, content: Uint8Array): Buffer {
  if (!Number.isInteger(hostId) || hostId < 0 || hostId > MAX_HOST_ID)
    throw fault('hostIdOutOfRange', `${hostId} is no host id: they are 0 (the cluster) to ${MAX_HOST_ID}`)
  try {
    return padded(content)
  } catch (error) {
    throw fault('tooLarge', (error as Error).message)
  }
}
