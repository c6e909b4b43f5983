import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { daemonsOf, endDaemons } from '../../src/agent/host/daemons.js'
import { eventually } from '../support/eventually.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'

/** A shell under another name, that does as it is told and has one more argument. */
async function daemon(program: string, argument: string, script: string): Promise<number> {
  const path = join(await temporaryDirectory(), program)
  await symlink('/bin/sh', path)
  const child = spawn(path, ['-c', script, argument], { detached: true, stdio: 'ignore' })
  await once(child, 'spawn')
  const ended = once(child, 'exit')
  whenTestEnds(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await eventually(async () => expect(await daemonsOf(program, argument)).toEqual([child.pid]))
  return child.pid!
}

describe('daemons that a mount helper left behind', () => {
  it('are found by their program and their mount point, and ended', async () => {
    await daemon('keelson-toy', '/mnt/one', 'while :; do sleep 0.05; done')
    const other = await daemon('keelson-toy', '/mnt/one-more', 'while :; do sleep 0.05; done')
    expect(await daemonsOf('keelson-other', '/mnt/one')).toEqual([])
    expect(await endDaemons('keelson-toy', '/mnt/one')).toEqual([])
    expect(await daemonsOf('keelson-toy', '/mnt/one')).toEqual([])
    expect(await daemonsOf('keelson-toy', '/mnt/one-more')).toEqual([other])
  })

  it('are killed where they do not listen', async () => {
    await daemon('keelson-deaf', '/mnt/one', 'trap "" TERM; while :; do sleep 0.05; done')
    expect(await endDaemons('keelson-deaf', '/mnt/one')).toEqual([])
  })

  it('that are not there take no time', async () => {
    const startedAt = performance.now()
    expect(await endDaemons('keelson-never', '/mnt/one')).toEqual([])
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })
})
