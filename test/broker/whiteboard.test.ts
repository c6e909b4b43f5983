import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { renderHostBlock } from '../../src/broker/host-block.js'
import type { WhiteboardIo } from '../../src/broker/whiteboard/io.js'
import { WHITEBOARD_BYTES } from '../../src/broker/whiteboard/layout.js'
import { Lives } from '../../src/broker/whiteboard/lives.js'
import { Whiteboard } from '../../src/broker/whiteboard/whiteboard.js'
import { WhiteboardFile } from '../../src/broker/whiteboard/whiteboard-file.js'
import { temporaryDirectory, whenTestEnds } from '../agent/support/temporary.js'

async function opened(content?: Buffer) {
  const path = join(await temporaryDirectory(), 'whiteboard')
  if (content) await writeFile(path, content)
  const file = WhiteboardFile.open(path)
  whenTestEnds(async () => file.close())
  return { path, file }
}

const block = (text: string) => {
  const bytes = Buffer.alloc(4096)
  bytes.write(text)
  return bytes
}

describe('the file of a whiteboard', () => {
  it('is made whole where there is none, and grows where it is short', async () => {
    const { path, file } = await opened()
    expect((await stat(path)).size).toBe(WHITEBOARD_BYTES)
    expect(file.changes().size).toBe(0)
    const short = await opened(block('cluster'))
    expect((await stat(short.path)).size).toBe(WHITEBOARD_BYTES)
    expect([...short.file.changes().keys()]).toEqual([0])
  })

  it('writes each block at its place, and none beside it', async () => {
    const { path, file } = await opened()
    file.write(
      new Map([
        [7, block('seven')],
        [2000, block('last')],
      ]),
    )
    const content = await readFile(path)
    expect(content.subarray(7 * 4096, 8 * 4096)).toEqual(block('seven'))
    expect(content.subarray(2000 * 4096)).toEqual(block('last'))
    expect(content.subarray(0, 7 * 4096).every((byte) => byte === 0)).toBe(true)
    expect(content.subarray(8 * 4096, 9 * 4096).every((byte) => byte === 0)).toBe(true)
  })

  it('writes neighbours and others together, each at its place', async () => {
    const { path, file } = await opened()
    const ids = [9, 3, 2, 2000, 1, 10, 0]
    file.write(new Map(ids.map((id) => [id, block(`block ${id}`)])))
    expect([...file.changes().keys()]).toEqual([0, 1, 2, 3, 9, 10, 2000])
    const content = await readFile(path)
    for (const id of ids) expect(content.subarray(id * 4096, (id + 1) * 4096)).toEqual(block(`block ${id}`))
  })

  it('tells what changed since the last look, by whomever', async () => {
    const { path, file } = await opened()
    const other = WhiteboardFile.open(path)
    whenTestEnds(async () => other.close())
    other.write(
      new Map([
        [1, block('one')],
        [2, block('two')],
      ]),
    )
    expect([...file.changes().keys()]).toEqual([1, 2])
    expect(file.changes().size).toBe(0)
    other.write(new Map([[2, block('')]]))
    expect(file.changes()).toEqual(new Map([[2, block('')]]))
  })
})

/** Holds writes back until it is told to let them go. */
class HeldIo implements WhiteboardIo {
  readonly batches: ReadonlyMap<number, Uint8Array>[] = []
  reads = 0
  private held: (() => void)[] = []

  async read() {
    this.reads += 1
    await this.hold()
    return { changed: new Map<number, Uint8Array>(), isFresh: true }
  }

  async write(blocks: ReadonlyMap<number, Uint8Array>) {
    this.batches.push(blocks)
    await this.hold()
  }

  async letGo() {
    for (const go of this.held.splice(0)) go()
    await new Promise((resolve) => setImmediate(resolve))
  }

  close() {}

  private hold() {
    return new Promise<void>((go) => this.held.push(go))
  }
}

describe('a whiteboard', () => {
  it('gathers writes while one is under way: of each block the last one, and nobody is answered before', async () => {
    const io = new HeldIo()
    const whiteboard = new Whiteboard(io)
    const answered: string[] = []
    const write = (id: number, text: string) =>
      whiteboard.write(id, Buffer.from(text)).then(() => void answered.push(text))
    const all = [write(1, 'first')]
    await new Promise((resolve) => setImmediate(resolve))
    all.push(write(1, 'second'), write(0, 'cluster'), write(1, 'third'))
    expect(io.batches).toHaveLength(1)
    await io.letGo()
    expect(answered).toEqual(['first'])
    expect(io.batches[1]).toEqual(
      new Map([
        [1, block('third')],
        [0, block('cluster')],
      ]),
    )
    await io.letGo()
    await Promise.all(all)
    expect(io.batches).toHaveLength(2)
  })

  it('shares a look that began after its readers asked', async () => {
    const io = new HeldIo()
    const whiteboard = new Whiteboard(io)
    const reads = [whiteboard.read(), whiteboard.read(), whiteboard.read()]
    await io.letGo()
    expect(io.reads).toBe(2)
    await io.letGo()
    await Promise.all(reads)
    expect(io.reads).toBe(2)
  })

  it('refuses what would spill into the next block, and ids that are none', () => {
    const whiteboard = new Whiteboard(new HeldIo())
    expect(() => whiteboard.write(1, Buffer.alloc(4097))).toThrow(expect.objectContaining({ code: 102 }))
    for (const id of [-1, 2001, 1.5]) {
      expect(() => whiteboard.write(id, Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 103 }))
    }
  })
})

describe('who is alive', () => {
  const of = (hostId: number, timestamp: number) =>
    renderHostBlock(
      {
        timestamp,
        hostId,
        score: 3400,
        engineStatus: '{}',
        hostName: `h${hostId}`,
        maintenance: false,
        stopped: false,
        configurationShared: true,
        configurationTimestamp: 1,
      },
      '',
    )

  it("is seen by timestamps that change, over the reader's own clock", () => {
    const lives = new Lives()
    lives.note(
      new Map([
        [1, of(1, 5)],
        [2, of(2, 9_999_999)],
      ]),
      0,
    )
    expect(lives.alive(0)).toEqual([])
    lives.note(
      new Map([
        [1, of(1, 4)],
        [2, of(2, 9_999_999)],
      ]),
      10_000,
    )
    expect(lives.alive(10_000)).toEqual([1])
    expect(lives.nameOf(1, 70_000)).toBe('h1')
    expect(lives.alive(70_001)).toEqual([])
  })

  it('lets one broken block be of its host alone', () => {
    const lives = new Lives()
    lives.note(new Map(), 0)
    const broken = of(2, 1)
    broken[3]! ^= 4
    lives.note(
      new Map([
        [1, of(1, 1)],
        [2, broken],
      ]),
      1,
    )
    expect(lives.alive(1)).toEqual([1])
  })
})
