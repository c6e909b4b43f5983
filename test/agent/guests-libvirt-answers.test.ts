import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootIn } from '../../src/agent/guests/libvirt/boots.js'
import { markIn } from '../../src/agent/guests/libvirt/channel.js'
import { panicOn, readConsole } from '../../src/agent/guests/libvirt/console.js'
import { disksIn, isLive, isPortOpen, statesIn } from '../../src/agent/guests/libvirt/domains.js'
import { agentLayer } from '../../src/agent/guests/libvirt/faults.js'
import { Virsh } from '../../src/agent/guests/libvirt/virsh.js'
import { eventIn } from '../../src/agent/guests/libvirt/watch.js'
import type { RunOptions } from '../../src/agent/host/run.js'

const ID = '0b7e6a58-3c55-4c7e-9a51-6f0f5d2f7a01'
const DOMAIN = `keelson-${ID}`
const never = new AbortController().signal

describe('what libvirt says', () => {
  it('of all domains is told apart by guest, and of others nothing', () => {
    const text = [
      `Domain: '${DOMAIN}'\n  state.state=1\n  state.reason=5\n`,
      "Domain: 'other'\n  state.state=1\n  state.reason=1\n",
    ].join('\n')
    expect([...statesIn(text)]).toEqual([[ID, { phase: 'running', byGuest: false }]])
    const off = (reason: number) => statesIn(`Domain: '${DOMAIN}'\n  state.state=5\n  state.reason=${reason}\n`).get(ID)
    expect(off(1)).toEqual({ phase: 'off', byGuest: true })
    expect(off(6)).toEqual({ phase: 'off', byGuest: false })
  })

  it('of an event is whose it is and what', () => {
    const line = (kind: string, domain = DOMAIN) =>
      `2026-11-30 21:20:05.017+0000: event '${kind}' for domain '${domain}': Started Booted`
    expect(eventIn(line('lifecycle'))).toEqual({ guestId: ID, kind: 'lifecycle' })
    expect(eventIn(line('agent-lifecycle'))).toEqual({ guestId: ID, kind: 'agent-lifecycle' })
    expect(eventIn(line('lifecycle', 'other'))).toBeNull()
    expect(eventIn('events received: 3')).toBeNull()
  })

  it('of a domain that runs has its boot, its port and its disks', () => {
    const xml = `<domain type='qemu' id='7'>
  <metadata><keelson:boot xmlns:keelson="urn:keelson:boot" id="b1" kernel="" opened="yes"/></metadata>
  <disk type='file' device='disk'>
    <source file='/a/it&apos;s.qcow2' index='1'/><backingStore/><target dev='vda' bus='virtio'/>
  </disk>
  <disk type='file' device='cdrom'><source file='/seed'/><target dev='sda' bus='scsi'/></disk>
  <target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>`
    expect(bootIn(xml)).toEqual({ id: 'b1', kernelId: null, opened: true })
    expect(bootIn('<domain/>')).toBeNull()
    expect(isLive(xml)).toBe(true)
    expect(isLive("<domain type='qemu'>")).toBe(false)
    expect(isPortOpen(xml)).toBe(true)
    expect([...disksIn(xml)]).toEqual([['vda', "/a/it's.qcow2"]])
  })

  it('of the agent in the guest names the layer', () => {
    expect(agentLayer('Guest agent is not responding: QEMU guest agent is not connected')).toBe('port-never-opened')
    expect(agentLayer('Guest agent is not responding: Guest agent not available for now')).toBe('agent-silent')
    expect(
      agentLayer("unable to execute QEMU agent command 'guest-exec': The command guest-exec has not been found"),
    ).toBe('agent-too-old')
    expect(agentLayer('Requested operation is not valid: domain is not running')).toBe('vm-not-started')
  })
})

describe('commands to the agent in a guest', () => {
  const answering = (stdout: string, stderr = '') => {
    const calls: { args: readonly string[]; options: RunOptions }[] = []
    const virsh = new Virsh(async (_program, args, options) => {
      calls.push({ args, options })
      return { outcome: 'exited', code: 0, stdout, stderr, truncated: false }
    }, 'qemu:///system')
    return { virsh, calls }
  }
  const secret = { execute: 'guest-file-write', arguments: { 'buf-b64': `it's-secret` } }

  it('are told where nobody else reads them, and answered each', async () => {
    const { virsh, calls } = answering('virsh # qemu-agent-command …\n{"return":{}}\n\nvirsh # …\n{"return":7}\n\n')
    expect(await virsh.agent(DOMAIN, [secret, { execute: 'guest-ping' }], never)).toEqual([{}, 7])
    expect(calls[0]!.args.join(' ')).not.toContain('secret')
    expect(calls[0]!.options.input).toContain(
      `'{"execute":"guest-file-write","arguments":{"buf-b64":"it\\u0027s-secret"}}'`,
    )
  })

  it('fail in the words of libvirt, and with nothing of what was told', async () => {
    const { virsh } = answering(`virsh # ${JSON.stringify(secret)}\n`, 'error: Guest agent is not responding\n\n')
    await expect(virsh.agent(DOMAIN, [secret], never)).rejects.toMatchObject({ words: 'Guest agent is not responding' })
  })
})

describe('what the runner in a guest says', () => {
  it('is the mark of a message', () => {
    expect(markIn('none\n')).toEqual({ state: 'none' })
    expect(markIn('cut-off\n')).toEqual({ state: 'cut-off' })
    expect(markIn('done 3\nline\ndone 4\n')).toEqual({ state: 'done', done: { exitCode: 3, output: 'line\ndone 4\n' } })
    expect(markIn('done 0\n')).toEqual({ state: 'done', done: { exitCode: 0, output: '' } })
    expect(() => markIn('sh: not found')).toThrow('sh: not found')
  })
})

describe('the console of a guest', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'keelson-console-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))
  const written = (text: string | Buffer) => {
    writeFileSync(join(directory, 'log'), text)
    return join(directory, 'log')
  }
  const boot = '[    0.000000] Linux version 6.1.0\r\n'
  const panic = '[    1.500000] Kernel panic - not syncing: Attempted to kill init!\r\n'

  it('tells of a panic until another kernel has booted', async () => {
    expect(await panicOn(written(boot))).toBeNull()
    expect(await panicOn(written(`${boot}${panic}[    1.6] ---[ end`))).toContain('Attempted to kill init!')
    expect(await panicOn(written(`${boot}${panic}${boot}`))).toBeNull()
    expect(await panicOn(join(directory, 'none'))).toBeNull()
  })

  it('is read from its end, whatever bytes are in it', async () => {
    expect(await readConsole(written('abcdef'), 3)).toBe('def')
    expect(await readConsole(written(Buffer.from([0x61, 0, 0xff, 0x62])), 10)).toBe('a\ufffd\ufffdb')
    expect(await readConsole(join(directory, 'none'), 10)).toBe('')
  })
})
