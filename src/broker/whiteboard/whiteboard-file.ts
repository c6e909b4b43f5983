import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { BLOCK_BYTES, BLOCKS, isEmpty, WHITEBOARD_BYTES } from './layout.js'

const WASM_PAGE_BYTES = 65_536

/**
 * The file itself, past the page cache where its file system allows that: another host's write must be seen, and a cached
 * block would hide it. O_DIRECT wants memory that is aligned, which Node's own buffers are not, and WebAssembly's is (ADR 65).
 */
export class WhiteboardFile {
  /** The whole file as the last look saw it. */
  private readonly memory = aligned(WHITEBOARD_BYTES)
  /** Blocks to be written, each at its place. */
  private readonly outgoing = aligned(WHITEBOARD_BYTES)
  private told = new Map<number, Buffer>()

  private constructor(
    private readonly fd: number,
    readonly isDirect: boolean,
  ) {}

  /** Makes the file where there is none; one that is too short grows. @throws NodeJS.ErrnoException */
  static open(path: string): WhiteboardFile {
    const { fd, isDirect } = openDirect(path)
    try {
      if (fstatSync(fd).size < WHITEBOARD_BYTES) ftruncateSync(fd, WHITEBOARD_BYTES)
      return new WhiteboardFile(fd, isDirect)
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** On the disk when this returns. @throws NodeJS.ErrnoException */
  write(blocks: ReadonlyMap<number, Uint8Array>): void {
    for (const [id, block] of blocks) this.outgoing.set(block, id * BLOCK_BYTES)
    for (const [first, count] of runsOf([...blocks.keys()])) {
      const [at, bytes] = [first * BLOCK_BYTES, count * BLOCK_BYTES]
      const written = writeSync(this.fd, this.outgoing, at, bytes, at)
      if (written !== bytes) throw new Error(`${written} of ${bytes} bytes from block ${first} on were written`)
    }
    fdatasyncSync(this.fd)
  }

  /** @returns the blocks that are other than at the last call, empty ones as such. @throws NodeJS.ErrnoException */
  changes(): Map<number, Buffer> {
    for (let at = 0; at < WHITEBOARD_BYTES; ) {
      const read = readSync(this.fd, this.memory, at, WHITEBOARD_BYTES - at, at)
      if (read === 0) throw new Error(`the whiteboard ends after ${at} of ${WHITEBOARD_BYTES} bytes`)
      at += read
    }
    const changed = new Map<number, Buffer>()
    for (let id = 0; id < BLOCKS; id++) {
      const block = this.memory.subarray(id * BLOCK_BYTES, (id + 1) * BLOCK_BYTES)
      const before = this.told.get(id)
      if (before ? before.equals(block) : isEmpty(block)) continue
      const copy = Buffer.from(block)
      changed.set(id, copy)
      this.told.set(id, copy)
    }
    return changed
  }

  close(): void {
    closeSync(this.fd)
  }
}

/** Neighbours are written as one. */
function runsOf(ids: readonly number[]): [first: number, count: number][] {
  const runs: [first: number, count: number][] = []
  for (const id of ids.toSorted((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last && last[0] + last[1] === id) last[1] += 1
    else runs.push([id, 1])
  }
  return runs
}

function openDirect(path: string): { fd: number; isDirect: boolean } {
  create(path)
  try {
    return { fd: openSync(path, constants.O_RDWR | constants.O_DIRECT), isDirect: true }
  } catch (error) {
    // tmpfs and some of FUSE have no such thing
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
    return { fd: openSync(path, constants.O_RDWR), isDirect: false }
  }
}

/** Appears whole: another host that makes it at the same time wins or loses, and both go on with the same file. */
function create(path: string): void {
  const born = `${path}.${randomUUID()}.new`
  let fd: number | null = null
  try {
    closeSync(openSync(path, constants.O_RDWR))
    return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  try {
    fd = openSync(born, 'wx', 0o660)
    ftruncateSync(fd, WHITEBOARD_BYTES)
    fdatasyncSync(fd)
    linkSync(born, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    if (fd !== null) closeSync(fd)
    rmSync(born, { force: true })
  }
}

function aligned(bytes: number): Buffer {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES)
  return Buffer.from(new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer, 0, bytes)
}
