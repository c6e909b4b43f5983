import 'reflect-metadata'
import { readFile } from 'node:fs/promises'
import { readHostFacts, readTools } from '../../src/agent/host/facts.js'
import { parseMountInfo } from '../../src/agent/host/mounts.js'
import { run, wordsOf } from '../../src/agent/host/run.js'
import { HostFacts } from '../../src/wire/session.js'
import { parseWire } from '../../src/wire/validate.js'
import { eventually } from '../support/eventually.js'

const limits = { deadlineMs: 5000 }

describe('running a program', () => {
  it('gives what it said and its exit code', async () => {
    const result = await run('sh', ['-c', 'echo out; echo err >&2; exit 3'], limits)
    expect(result).toEqual({ outcome: 'exited', code: 3, stdout: 'out\n', stderr: 'err\n', truncated: false })
    expect(wordsOf(result)).toBe('err')
  })

  it('gives words that can be stored and are cut between characters, whatever it printed', async () => {
    const odd = await run('printf', ['%b', 'a\\0000b\\n'], limits)
    expect(wordsOf(odd)).toBe('a\ufffdb')
    const long = await run('sh', ['-c', `printf x >&2; yes '😀' | head -n 2000 | tr -d '\\n' >&2; exit 1`], limits)
    expect(wordsOf(long)).toBe(`x${'😀'.repeat(999)}`)
  })

  it('hands arguments over as they are: there is no shell', async () => {
    const result = await run('printf', ['%s', '$HOME; `id` "x" \n*'], limits)
    expect(result).toMatchObject({ stdout: '$HOME; `id` "x" \n*' })
  })

  it('tells of a program that is not there', async () => {
    // a path that the user of the tests may look through, all of it
    const result = await run('no-such-program-of-ours', [], { ...limits, env: { PATH: '/usr/bin:/bin' } })
    expect(result).toMatchObject({ outcome: 'not-started', error: { code: 'ENOENT' } })
  })

  it('ends a program at its deadline, with all that it has started', async () => {
    const startedMs = performance.now()
    const result = await run('sh', ['-c', 'sleep 60 & echo $!; wait'], { deadlineMs: 100, killAfterMs: 100 })
    expect(result).toMatchObject({ outcome: 'timed-out' })
    expect(performance.now() - startedMs).toBeLessThan(30_000)
    const grandchild = Number((result as { stdout: string }).stdout)
    await eventually(() => expect(() => process.kill(grandchild, 0)).toThrow('ESRCH'))
  })

  it('kills a program that is deaf to SIGTERM', async () => {
    const result = await run('sh', ['-c', "trap '' TERM; while :; do sleep 0.1; done"], {
      deadlineMs: 100,
      killAfterMs: 100,
    })
    expect(result.outcome).toBe('timed-out')
  })

  it('ends a program when it is no longer wanted', async () => {
    const abort = new AbortController()
    const running = run('sleep', ['60'], { ...limits, signal: abort.signal })
    abort.abort()
    expect((await running).outcome).toBe('timed-out')
  })

  it('keeps no more of the output than it was told to', async () => {
    const result = await run('sh', ['-c', 'yes | head -c 10000000'], { ...limits, maxOutputBytes: 1000 })
    expect(result).toMatchObject({ outcome: 'exited', code: 0, truncated: true })
    expect((result as { stdout: string }).stdout).toHaveLength(1000)
  })

  it('does not wait for a daemon that keeps the pipes open', async () => {
    const result = await run('sh', ['-c', 'setsid sleep 3 & echo started'], limits)
    expect(result).toMatchObject({ outcome: 'exited', code: 0, stdout: 'started\n' })
  })

  it('leaves no zombie behind', async () => {
    await Promise.all(Array.from({ length: 20 }, () => run('true', [], limits)))
    await eventually(async () => {
      const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8')
      const states = await Promise.all(
        children
          .trim()
          .split(' ')
          .filter((pid) => pid !== '')
          .map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')),
      )
      expect(states.filter((stat) => stat.includes(') Z '))).toEqual([])
    })
  })
})

describe('facts about the host', () => {
  it('fit the wire', async () => {
    const facts = await readHostFacts()
    expect(parseWire(HostFacts, facts)).toMatchObject({ cpus: expect.any(Number), memoryBytes: expect.any(Number) })
    expect(facts.tools.find(({ name }) => name === 'mount')?.version).toMatch(/^\d+\.\d+/)
  })

  it('come although a tool hangs or is missing', async () => {
    const tools = await readTools({ hangs: ['sleep', '60'], missing: ['no-such-program-of-ours'] })
    expect(tools).toEqual([
      { name: 'hangs', version: 'unknown' },
      { name: 'missing', version: null },
    ])
  })
})

describe('the mount table', () => {
  it('is read with its optional fields and octal escapes', () => {
    const text = [
      '22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw,errors=remount-ro',
      '36 22 0:32 /a\\040b /mnt/two\\040words\\134\\011 ro,nosuid - nfs4 server:/x rw',
      'garbage',
      '',
    ].join('\n')
    expect(parseMountInfo(text)).toEqual([
      expect.objectContaining({ mountPoint: '/', fsType: 'ext4', superOptions: ['rw', 'errors=remount-ro'] }),
      expect.objectContaining({
        root: '/a b',
        mountPoint: '/mnt/two words\\\t',
        options: ['ro', 'nosuid'],
        source: 'server:/x',
      }),
    ])
  })

  it('of this machine holds its root', async () => {
    expect(
      parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8')).map(({ mountPoint }) => mountPoint),
    ).toContain('/')
  })
})
