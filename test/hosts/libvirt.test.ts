import { randomUUID } from 'node:crypto'
import { eventually } from '../support/eventually.js'
import { promisedMs } from '../trial/support/scale.js'
import { itInFull } from './support/full.js'
import { faultType, GuestBench, guestPrograms, never, sh } from './support/guest-bench.js'
import { describeWith } from './support/needs.js'

/** Within which a guest that has died is seen to have. */
const SEEN_MS = promisedMs(2_000)

describeWith(guestPrograms, 'a guest of libvirt', () => {
  let bench: GuestBench

  beforeAll(async () => {
    bench = await GuestBench.start()
  }, 180_000)
  afterAll(() => bench.end())
  afterEach(() => bench.removeAll())

  it('starts, answers, does what it is told, stops when it is asked to, and leaves nothing behind', async () => {
    const guest = await bench.apply(bench.guest())
    const pong = await bench.answers(guest)
    expect(pong).toMatchObject({
      agentVersion: expect.stringMatching(/^7\./),
      bootId: (await bench.see(guest))?.bootId,
    })
    expect(await bench.message(guest, pong.bootId, sh('echo said; exit 3'))).toEqual({ exitCode: 3, output: 'said\n' })
    expect(await bench.driver.apply(guest, never)).toBe(false)
    expect(await bench.answers(guest)).toMatchObject({ bootId: pong.bootId })
    expect(await bench.driver.apply({ ...guest, power: 'STOPPED' }, never)).toBe(false)
    expect(await bench.see(guest)).toMatchObject({ status: 'STOPPED', bootId: null })
    expect(await faultType(bench.answers(guest, 0))).toBe('vm-not-started')
    expect(await bench.driver.remove(guest.id, never)).toBe(true)
    expect(await bench.see(guest)).toBeNull()
    expect(await bench.driver.remove(guest.id, never)).toBe(false)
    expect(bench.leftovers()).toEqual([])
  }, 240_000)

  it('is found out where it is dead, has panicked, or is late, and what was not sent is not in it', async () => {
    const [deaf, panicked, late] = [
      await bench.apply(bench.guest({}, 'guest.how=dead')),
      await bench.apply(bench.guest({}, 'guest.how=panic')),
      await bench.apply(bench.guest({}, 'guest.how=late:20')),
    ]
    const types = await Promise.all([
      faultType(bench.answers(deaf, 10_000)),
      faultType(bench.answers(panicked)),
      faultType(bench.answers(late, 500)),
    ])
    expect(types).toEqual(['port-never-opened', 'kernel-panic', 'port-never-opened'])
    expect(await bench.see(deaf)).toMatchObject({ status: 'RUNNING', agentPort: 'NEVER' })
    expect(await bench.see(panicked)).toMatchObject({ status: 'CRASHED', fault: { type: 'kernel-panic' } })
    expect(await bench.driver.console(panicked.id, 4_000)).toContain('Kernel panic - not syncing')
    await bench.driver.remove(deaf.id, never)
    await bench.driver.remove(panicked.id, never)
    expect(await bench.output(late, 'ls /var/lib/keelson/messages | wc -l')).toBe('1')
  }, 240_000)

  it('is seen to have died within two seconds, by whatever it was that ended it', async () => {
    const [killed, ended] = [await bench.apply(bench.guest()), await bench.apply(bench.guest())]
    const heard = new Map<string, number>()
    const end = bench.driver.watch((id) => heard.set(id, performance.now()))
    try {
      await bench.answers(killed)
      const { bootId } = await bench.answers(ended)
      const killedAtMs = performance.now()
      process.kill(bench.pid(killed), 'SIGKILL')
      await bench.status(killed, 'CRASHED', SEEN_MS)
      expect(heard.get(killed.id)! - killedAtMs).toBeLessThan(SEEN_MS)
      await bench.message(ended, bootId, sh('poweroff -f')).catch(() => undefined)
      await bench.status(ended, 'STOPPED')
      expect(await bench.see(ended)).toMatchObject({ bootId: null, agentPort: 'NEVER' })
    } finally {
      end()
    }
  }, 240_000)

  itInFull(
    'is taken up again in the boot that it is in after the agent and libvirtd were killed',
    async () => {
      const guest = await bench.apply(bench.guest())
      const { bootId } = await bench.answers(guest)
      await bench.message(guest, bootId, sh('echo kept > /tmp/kept'))
      await bench.libvirt.kill()
      expect(await faultType(bench.answers(guest, 0))).toBe('vm-not-started')
      await bench.libvirt.restart()
      bench.driver = bench.anotherDriver()
      expect(await bench.driver.list()).toEqual([guest.id])
      await bench.apply(guest)
      expect(await bench.answers(guest)).toMatchObject({ bootId })
      expect(await bench.see(guest)).toMatchObject({ status: 'RUNNING', bootId, agentPort: 'OPEN' })
      expect(await bench.message(guest, bootId, sh('cat /tmp/kept'))).toMatchObject({ output: 'kept\n' })
    },
    240_000,
  )

  itInFull(
    'has another boot after each reset, told of or not, and a pong of the one before does not count',
    async () => {
      const guest = await bench.apply(bench.guest())
      const first = await bench.answers(guest)
      // by somebody else, and nobody listens
      await bench.libvirt.virsh('reset', `keelson-${guest.id}`)
      await eventually(async () => expect((await bench.see(guest))?.agentPort).not.toBe('OPEN'))
      const second = await bench.answers(guest)
      expect(second.bootId).not.toBe(first.bootId)
      expect(await faultType(bench.message(guest, first.bootId, sh('echo late > /tmp/late')))).toBe('boot-changed')
      await bench.driver.reset(guest, 'reset', never)
      const seen = await bench.see(guest)
      expect(seen?.bootId).not.toBe(second.bootId)
      const third = await bench.answers(guest)
      expect(third.bootId).toBe(seen?.bootId)
      await bench.driver.reset(guest, 'restart', never)
      expect(await bench.output(guest, 'ls /tmp')).not.toContain('late')
    },
    300_000,
  )

  itInFull(
    'begins no message while it is paused, nor when it goes on and the time has passed',
    async () => {
      const guest = await bench.apply(bench.guest())
      const { bootId } = await bench.answers(guest)
      await bench.driver.apply({ ...guest, power: 'PAUSED' }, never)
      expect(await bench.see(guest)).toMatchObject({ status: 'PAUSED', bootId })
      expect(await faultType(bench.message(guest, bootId, sh('touch /tmp/ran')))).toBe('agent-silent')
      await bench.apply(guest)
      const messageId = randomUUID()
      const channel = bench.driver.channel(guest.id)
      await channel.ping(never)
      await channel.put(
        { guestId: guest.id, messageId, kind: 'run', bootId, runTimeoutMs: 5_000, task: sh('touch /tmp/ran') },
        never,
      )
      await bench.driver.apply({ ...guest, power: 'PAUSED' }, never)
      const passed = AbortSignal.timeout(1_000)
      expect(await faultType(channel.go(messageId, passed))).not.toBe('nothing')
      expect(passed.aborted || (await bench.see(guest))?.status === 'PAUSED').toBe(true)
      await bench.apply(guest)
      await bench.answers(guest)
      expect(await channel.mark(messageId, never)).toEqual({ state: 'accepted' })
      expect(await bench.output(guest, 'ls /tmp')).not.toContain('ran')
    },
    240_000,
  )
})
