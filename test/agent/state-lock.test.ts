import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { StateDirectoryError } from '../../src/agent/state-error.js'
import { lockStateDirectory } from '../../src/agent/state-lock.js'
import { eventually } from '../support/eventually.js'
import { nodeScript, type TestProcess } from '../support/process.js'
import { temporaryDirectory } from './support/temporary.js'

/** Another process that locks the directory and stays. */
async function holder(directory: string): Promise<TestProcess> {
  const child = nodeScript(`
    import { lockStateDirectory } from './dist/src/agent/state-lock.js'
    await lockStateDirectory(${JSON.stringify(directory)})
    console.log('locked')
    setInterval(() => undefined, 1000)
  `)
  await child.line(/^locked$/)
  return child
}

describe('the lock on a state directory', () => {
  it('refuses a second agent with exit code 73, also by another way to the same place', async () => {
    const directory = await temporaryDirectory()
    const stateDir = join(directory, 'state')
    await mkdir(stateDir)
    await symlink(stateDir, join(directory, 'link'))
    const lock = await lockStateDirectory(stateDir)
    for (const path of [stateDir, join(directory, 'link'), `${stateDir}/.`]) {
      const refusal = await lockStateDirectory(path).catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(StateDirectoryError)
      expect(refusal).toMatchObject({ exitCode: 73, message: expect.stringContaining('another agent runs on it') })
    }
    await lock.release()
    await (await lockStateDirectory(stateDir)).release()
  })

  it('holds while the first agent is stopped, and is free at once when it is killed', async () => {
    const directory = await temporaryDirectory()
    const child = await holder(directory)
    try {
      child.signal('SIGSTOP')
      await expect(lockStateDirectory(directory)).rejects.toBeInstanceOf(StateDirectoryError)
    } finally {
      await child.kill()
    }
    await (await lockStateDirectory(directory)).release()
  })

  it('goes with the process, not with what it has started', async () => {
    const directory = await temporaryDirectory()
    const child = nodeScript(`
      import { lockStateDirectory } from './dist/src/agent/state-lock.js'
      import { spawn } from 'node:child_process'
      await lockStateDirectory(${JSON.stringify(directory)})
      const helper = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
      console.log('helper ' + helper.pid)
      setInterval(() => undefined, 1000)
    `)
    const helper = Number((await child.line(/^helper \d+$/)).split(' ')[1])
    try {
      await child.kill()
      await (await eventually(() => lockStateDirectory(directory))).release()
    } finally {
      process.kill(helper, 'SIGKILL')
    }
  })

  it('makes the directory for its owner alone, and names one that cannot be made', async () => {
    const directory = await temporaryDirectory()
    const lock = await lockStateDirectory(join(directory, 'a', 'b'))
    expect(lock.stateDir).toBe(join(directory, 'a', 'b'))
    await lock.release()
    await expect(lockStateDirectory('/proc/nowhere')).rejects.toMatchObject({ exitCode: 73 })
  })
})
