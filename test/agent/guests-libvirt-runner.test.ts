import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { markIn } from '../../src/agent/guests/libvirt/channel.js'
import { BASE, runner, runnerExits } from '../../src/agent/guests/libvirt/guest-runner.js'
import { eventually } from '../support/eventually.js'

const BOOT = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
const ID = '0b7e6a58-3c55-4c7e-9a51-6f0f5d2f7a01'

describe('the runner of messages in a guest', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-runner-'))
    writeFileSync(join(directory, 'runner'), runner.replaceAll(BASE, directory))
    mkdirSync(join(directory, 'messages'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const call = (...args: string[]) => spawnSync('sh', [join(directory, 'runner'), ...args], { encoding: 'utf8' })
  const message = (name = '') => join(directory, 'messages', ID, name)
  const mark = () => markIn(call('mark', ID).stdout)
  function accept(script: string, bytes?: number): number | null {
    const task = `# 60\n${script}\n`
    call('prepare', ID)
    writeFileSync(message('task.new'), task)
    return call('accept', ID, String(bytes ?? Buffer.byteLength(task))).status
  }

  it('begins nothing before its go, and knows that it has accepted it', () => {
    expect(mark()).toEqual({ state: 'none' })
    expect(call('go', ID, BOOT).status).toBe(runnerExits.notAccepted)
    expect(accept(`echo ran >> ${directory}/ran`)).toBe(0)
    expect(mark()).toEqual({ state: 'accepted' })
    expect(existsSync(join(directory, 'ran'))).toBe(false)
  })

  it('does not accept what is not whole', () => {
    expect(accept('true', 1_000)).toBe(runnerExits.notAccepted)
    expect(mark()).toEqual({ state: 'none' })
  })

  it('begins nothing in another boot than the one that answered', () => {
    accept(`echo ran >> ${directory}/ran`)
    expect(call('go', ID, 'another').status).toBe(runnerExits.otherBoot)
    expect(mark()).toEqual({ state: 'accepted' })
  })

  it('does it once, however many say go at once, and tells what came of it', async () => {
    accept(`echo ran >> ${directory}/ran; echo said; exit 3`)
    // as several that have each seen that nobody has begun
    const begin = () => promisify(execFile)('sh', [join(directory, 'runner'), 'run', 'go', ID, BOOT])
    await Promise.all(Array.from({ length: 8 }, begin))
    await eventually(() => expect(mark()).toEqual({ state: 'done', done: { exitCode: 3, output: 'said\n' } }))
    expect(call('go', ID, BOOT).status).toBe(0)
    expect(accept('echo other')).toBe(0)
    expect(mark()).toEqual({ state: 'done', done: { exitCode: 3, output: 'said\n' } })
    expect(readFileSync(join(directory, 'ran'), 'utf8')).toBe('ran\n')
    // a message may hold secrets
    await eventually(() => expect(existsSync(message('task'))).toBe(false))
  })

  it('knows what runs, and what was cut off', async () => {
    accept('sleep 600')
    expect(call('go', ID, BOOT).status).toBe(0)
    expect(mark()).toEqual({ state: 'running' })
    const pid = Number(readFileSync(message('started'), 'utf8').split(' ')[1])
    process.kill(-pid, 'SIGKILL')
    await eventually(() => expect(mark()).toEqual({ state: 'cut-off' }))
    expect(existsSync(message('task'))).toBe(false)
    expect(call('go', ID, BOOT).status).toBe(0)
    expect(mark()).toEqual({ state: 'cut-off' })
  })

  it('takes what another boot has begun for cut off', () => {
    accept('true')
    writeFileSync(message('started'), `another ${process.pid}\n`)
    expect(mark()).toEqual({ state: 'cut-off' })
  })
})
