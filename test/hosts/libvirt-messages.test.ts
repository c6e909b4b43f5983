import { randomUUID } from 'node:crypto'
import { deliver } from '../../src/agent/guests/messages.js'
import { eventually } from '../support/eventually.js'
import { itInFull } from './support/full.js'
import { aTask, faultType, GuestBench, guestPrograms, never, sh } from './support/guest-bench.js'
import { describeWith } from './support/needs.js'

describeWith(guestPrograms, 'a message to a guest of libvirt', () => {
  let bench: GuestBench

  beforeAll(async () => {
    bench = await GuestBench.start()
  }, 180_000)
  afterAll(() => bench.end())
  afterEach(() => bench.removeAll())

  it('is carried out once, however often it is sent, and whoever is killed meanwhile', async () => {
    const guest = await bench.apply(bench.guest())
    const { bootId } = await bench.answers(guest)
    const messageId = randomUUID()
    const slow = sh('echo begun >> /tmp/begun; sleep 8; echo ended >> /tmp/ended; wc -l < /tmp/begun')
    const message = { guestId: guest.id, messageId, kind: 'run' as const, bootId, runTimeoutMs: 60_000, task: slow }
    const first = bench.driver.channel(guest.id)
    await first.ping(never)
    await first.put(message, never)
    await first.go(messageId, never)
    expect(await first.mark(messageId, never)).toEqual({ state: 'running' })
    // the agent in the guest, by another message
    await bench.message(guest, bootId, sh('killall -9 qemu-ga')).catch(() => undefined)
    const one = await eventually(() => deliver(bench.driver.channel(guest.id), message, never))
    const done = await eventually(() => bench.message(guest, bootId, slow, messageId))
    expect(done).toMatchObject({ exitCode: 0, output: '1\n', before: true })
    expect(one).toMatchObject({ exitCode: 0, output: '1\n' })
    expect(await bench.output(guest, 'cat /tmp/begun /tmp/ended')).toBe('begun\nended')
  }, 240_000)

  itInFull(
    'that a reset has cut off is not begun again, and what it was is gone from the guest',
    async () => {
      const volume = bench.volume()
      await bench.driver.ensureVolume(volume, never)
      const guest = await bench.apply(bench.guest({ disks: [volume] }))
      const { bootId } = await bench.answers(guest)
      const messageId = randomUUID()
      const task = sh('echo begun >> /data/begun; sync; sleep 600')
      const delivered = faultType(bench.message(guest, bootId, task, messageId))
      await eventually(async () => expect(await bench.output(guest, 'cat /data/begun')).toBe('begun'))
      await bench.driver.reset(guest, 'reset', never)
      expect(['interrupted', 'agent-silent', 'port-never-opened']).toContain(await delivered)
      const second = await bench.answers(guest)
      expect(await faultType(bench.message(guest, second.bootId, task, messageId))).toBe('interrupted')
      expect(await bench.output(guest, `cat /data/begun; ls /data/keelson/messages/${messageId}`)).toBe(
        'begun\noutput\nstarted',
      )
    },
    240_000,
  )

  it('writes files and does what its commands say, in order, and ends where one fails', async () => {
    const guest = await bench.apply(bench.guest())
    const { bootId } = await bench.answers(guest)
    const content = `a 'quoted' $thing\n${'x'.repeat(100_000)}\n`
    const done = await bench.message(
      guest,
      bootId,
      aTask({
        files: [{ path: '/etc/app/conf', content, mode: '0640', owner: 'root:root' }],
        commands: [
          { argv: ['sh', '-c', 'head -1 /etc/app/conf; wc -c < /etc/app/conf; stat -c %a /etc/app/conf'] },
          { argv: ['sh', '-c', 'exit 7'] },
          { argv: ['echo', 'not reached'] },
        ],
      }),
    )
    expect(done).toEqual({ exitCode: 7, output: `a 'quoted' $thing\n${content.length}\n640\n` })
  }, 240_000)

  itInFull(
    'that takes longer than it may is ended',
    async () => {
      const guest = await bench.apply(bench.guest())
      const { bootId } = await bench.answers(guest)
      const message = { guestId: guest.id, messageId: randomUUID(), kind: 'run' as const, bootId, runTimeoutMs: 1_000 }
      const done = await deliver(
        bench.driver.channel(guest.id),
        { ...message, task: sh('echo begun; sleep 600') },
        never,
      )
      expect(done.exitCode).not.toBe(0)
      expect(done.output).toContain('begun')
    },
    240_000,
  )
})
