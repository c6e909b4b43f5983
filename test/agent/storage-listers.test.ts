import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Listers } from '../../src/agent/storage/listers.js'
import { eventually } from '../support/eventually.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'

const limits = { timeoutMs: 10_000, signal: new AbortController().signal }

/** Pids of the children of this process that look into directories. */
const lookers = (): number[] =>
  readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
    .split(' ')
    .filter((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('opendirSync'))
    .map(Number)

describe('listers', () => {
  let directory: string
  let listers: Listers
  beforeEach(async () => {
    for (const pid of lookers()) process.kill(pid, 'SIGKILL')
    await eventually(() => expect(lookers()).toEqual([]))
    directory = await temporaryDirectory()
    listers = new Listers()
  })

  it('tells what can be listed from what cannot, whatever it is called', async () => {
    const odd = join(directory, 'a "line"\nand another')
    await mkdir(odd)
    await writeFile(join(directory, 'file'), '')
    expect(await listers.look(directory, limits)).toBe(true)
    expect(await listers.look(odd, limits)).toBe(true)
    expect(await listers.look(join(directory, 'file'), limits)).toBe(false)
    expect(await listers.look(join(directory, 'missing'), limits)).toBe(false)
  })

  it('keeps no directory open that opens and cannot be read: it would be busy for whoever unmounts it', async () => {
    // that of another user's process opens for everybody, and is read by root alone
    const answers = [await listers.look('/proc/1/ns', limits), await listers.look('/proc/1/ns', limits)]
    expect(answers).toEqual(Array.from({ length: 2 }, () => process.getuid?.() === 0))
    const [pid] = lookers()
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    expect(open.filter((path) => path.includes('/proc/'))).toEqual([])
  })

  it('looks with one child after another look, and keeps one after many at once', async () => {
    await listers.look(directory, limits)
    const [first] = lookers()
    await listers.look(directory, limits)
    expect(lookers()).toEqual([first])
    const many = await Promise.all(Array.from({ length: 8 }, () => listers.look(directory, limits)))
    expect(many).toEqual(Array.from({ length: 8 }, () => true))
    await eventually(() => expect(lookers()).toHaveLength(1))
  })

  it('lets others look while one directory hangs', async () => {
    await listers.look(directory, limits)
    const [hanging] = lookers()
    process.kill(hanging ?? 0, 'SIGSTOP')
    const stuck = listers.look(directory, { ...limits, timeoutMs: 60_000 }).catch((error: unknown) => error)
    const others = await Promise.all(Array.from({ length: 8 }, () => listers.look(directory, limits)))
    expect(others).toEqual(Array.from({ length: 8 }, () => true))
    // how many more there were is a matter of how long a child takes to start
    expect(lookers()).toContain(hanging)
    process.kill(hanging ?? 0, 'SIGKILL')
    expect(await stuck).toBe(false)
  })

  it('gives up a child that hangs, and looks on with another', async () => {
    await listers.look(directory, limits)
    const [hanging] = lookers()
    process.kill(hanging ?? 0, 'SIGSTOP')
    await expect(listers.look(directory, { ...limits, timeoutMs: 100 })).rejects.toMatchObject({
      type: 'stuck',
      message: expect.stringContaining('100 ms'),
    })
    expect(await listers.look(directory, limits)).toBe(true)
    expect(lookers()).not.toContain(hanging)
  })

  it('leaves a look whose target is given up', async () => {
    const given = new AbortController()
    await listers.look(directory, limits)
    process.kill(lookers()[0] ?? 0, 'SIGSTOP')
    const look = listers.look(directory, { timeoutMs: 60_000, signal: given.signal })
    given.abort()
    await expect(look).rejects.toMatchObject({ type: 'stuck' })
  })

  it('starts no child for a look that waits and is given up', async () => {
    const given = new AbortController()
    await listers.look(directory, limits)
    const [hanging] = lookers()
    process.kill(hanging ?? 0, 'SIGSTOP')
    const stuck = listers.look(directory, { ...limits, timeoutMs: 60_000 })
    let started = 0
    const count = () => {
      started += 1
    }
    subscribe('child_process', count)
    whenTestEnds(async () => void unsubscribe('child_process', count))
    const looks = Array.from({ length: 8 }, () => listers.look(directory, { ...limits, signal: given.signal }))
    given.abort()
    for (const look of await Promise.allSettled(looks)) {
      expect(look).toMatchObject({ status: 'rejected', reason: { type: 'stuck' } })
    }
    expect(started).toBe(0)
    process.kill(hanging ?? 0, 'SIGCONT')
    expect(await stuck).toBe(true)
  })

  it('outlives a child that was killed', async () => {
    await listers.look(directory, limits)
    process.kill(lookers()[0] ?? 0, 'SIGKILL')
    await eventually(async () => expect(await listers.look(directory, limits)).toBe(true))
  })
})
