import { eventually } from '../support/eventually.js'
import { RealHost } from '../trial/support/real-host.js'
import { promisedMs } from '../trial/support/scale.js'
import { guestPrograms } from './support/guest-bench.js'
import { ANSWERS_MS, CONNECTION, GuestGround, rowsOf, sh } from './support/guest-ground.js'
import { describeWith } from './support/needs.js'
import { SessionLibvirt } from './support/session-libvirt.js'

const SEEN_MS = promisedMs(2_000)
const MARKER = 'prepared-by-the-plane'
const LOOK = { timeoutMs: ANSWERS_MS, intervalMs: 20 }
/** Long enough to be put into a guest for somebody to come between. */
const bulk = { files: [{ path: '/tmp/bulk', content: 'x'.repeat(120_000) }] }
const marking = sh(`echo ${MARKER} > /dev/console`)

describeWith([...guestPrograms, 'psql'], 'a guest of a plane and a host that are real', () => {
  let tried: GuestGround

  beforeAll(async () => {
    tried = await GuestGround.start()
  }, 240_000)
  afterAll(() => tried?.end(), 60_000)

  afterEach(() => tried.removeAll(), 60_000)

  it('that is dead is in ERROR within its boot timeout, by its layer, and is told nothing', async () => {
    const bootTimeoutMs = 8_000
    const { id } = await tried.create({ how: 'dead', bootTimeoutMs, prepare: marking })
    await tried.until(id, { step: 'ping' })
    const pingedMs = performance.now()
    const failed = await tried.until(id, { provisioningStatus: 'ERROR' })
    expect(performance.now() - pingedMs).toBeLessThan(bootTimeoutMs + promisedMs(1_000))
    expect(failed).toMatchObject({ step: 'ping', fault: { type: 'port-never-opened' }, actions: ['rebuild', 'delete'] })
    expect(await tried.messages(id)).toMatchObject([{ state: 'failed', commandId: null, bootId: null }])
    expect(tried.written(id, MARKER)).toBe(0)
  }, 240_000)

  it('whose agent starts after the deadline has nothing of what it was to be told', async () => {
    const { id } = await tried.create({ how: 'late:12', bootTimeoutMs: 4_000, prepare: marking })
    await tried.until(id, { provisioningStatus: 'ERROR', fault: { type: 'port-never-opened' } })
    await tried.until(id, { agentPort: 'OPEN', provisioningStatus: 'ERROR' })
    expect(await tried.inside(id, 'ls -A /var/lib/keelson')).toBe('')
    expect(tried.written(id, MARKER)).toBe(0)
  }, 240_000)

  it('does what it was told once, when the agent in it and that of its host are killed meanwhile', async () => {
    const { id } = await tried.create({ prepare: sh(`echo ${MARKER} > /dev/console; sleep 6`) })
    await eventually(() => expect(tried.written(id, MARKER)).toBe(1), LOOK)
    await tried.inside(id, 'killall -9 qemu-ga').catch(() => undefined)
    await tried.host.kill()
    tried.host.start()
    await tried.active(id)
    expect(await tried.messages(id)).toMatchObject([{ kind: 'prepare', state: 'succeeded', exitCode: 0, pings: 2 }])
    expect(tried.written(id, MARKER)).toBe(1)
  }, 240_000)

  it('that is paused past the deadline does not do it when it goes on', async () => {
    const { id } = await tried.create({ prepare: { ...bulk, ...marking }, prepareTimeoutMs: 4_000 })
    await tried.until(id, { step: 'prepare' })
    await tried.virsh('suspend', id)
    const failed = await tried.until(id, { provisioningStatus: 'ERROR', operatingStatus: 'PAUSED' })
    expect(failed.fault).toMatchObject({ type: expect.stringMatching(/^(expired|agent-silent)$/) })
    await tried.virsh('resume', id)
    await tried.until(id, { operatingStatus: 'RUNNING' })
    expect(await eventually(() => tried.inside(id, 'ls /var/lib/keelson/messages/*/started'), LOOK)).toBe('')
    expect(tried.written(id, MARKER)).toBe(0)
  }, 240_000)

  it('that is reset after its pong is told nothing before another pong, of the boot that follows', async () => {
    const { id } = await tried.create({ prepare: { ...bulk, ...marking } })
    const { bootId } = await tried.until(id, { step: 'prepare' })
    await tried.virsh('reset', id)
    const active = await tried.active(id)
    expect(active.bootId).not.toBe(bootId)
    const [message] = await tried.messages(id)
    expect(message).toMatchObject({ state: 'succeeded', bootId: active.bootId })
    expect(message.pings).toBeGreaterThan(1)
    expect(tried.written(id, MARKER)).toBe(1)
  }, 240_000)

  it('that is removed while it is made leaves nothing, on its host nor in the database', async () => {
    const { id } = await tried.create({ disks: [{ connectionId: CONNECTION, sizeMiB: 16 }], prepare: marking })
    await tried.until(id, { step: 'ping', provisioningStatus: 'PENDING_CREATE' })
    await tried.gone(id)
    await eventually(async () => expect(await tried.leftovers()).toEqual([]))
    const rows = ['guests', 'volumes', 'guest_messages', 'guest_claims', "tombstones WHERE state <> 'confirmed'"]
    for (const table of [...rows, 'commands WHERE finished_at IS NULL']) {
      await eventually(() => expect([table, rowsOf(tried.plane, table)]).toEqual([table, 0]))
    }
  }, 240_000)

  it('lives on when its host loses agent and libvirtd, and is taken up in the boot that it is in', async () => {
    const { id } = await tried.create()
    const { bootId } = await tried.active(id)
    const pid = tried.pid(id)
    await Promise.all([tried.host.kill(), tried.libvirt.kill()])
    await tried.plane.hostAway('guests')
    await tried.libvirt.restart()
    tried.host.start()
    await tried.able('guests')
    expect(tried.pid(id)).toBe(pid)
    const said = await tried.say(id, 'echo still here')
    const message = await tried.message(id, said, { state: 'succeeded' })
    expect(message).toMatchObject({ bootId, output: 'still here\n' })
    expect(await tried.get(id)).toMatchObject({ bootId, operatingStatus: 'RUNNING', provisioningStatus: 'ACTIVE' })
  }, 240_000)

  it('that dies is seen to within two seconds, and is started again by its policy', async () => {
    const { id } = await tried.create({ restartPolicy: 'on-crash' })
    const { bootId } = await tried.active(id)
    process.kill(tried.pid(id), 'SIGKILL')
    const diedMs = performance.now()
    await tried.until(id, { operatingStatus: 'CRASHED' }, SEEN_MS)
    expect(performance.now() - diedMs).toBeLessThan(SEEN_MS)
    const again = await tried.until(id, { operatingStatus: 'RUNNING', restarts: 1, agentPort: 'OPEN' })
    expect(again.bootId).not.toBe(bootId)
    const said = await tried.say(id, 'echo back')
    await tried.message(id, said, { state: 'succeeded', output: 'back\n', bootId: again.bootId })
  }, 240_000)

  it('is never on a host that has room, and not its storage', async () => {
    const libvirt = await SessionLibvirt.start()
    const other = new RealHost(tried.ground, tried.plane, 'elsewhere', { KEELSON_LIBVIRT_URI: libvirt.uri })
    try {
      other.start()
      const hostId = await tried.able('elsewhere')
      const image = await tried.image('dead')
      const refused = await tried.request({ imageId: image, placement: { hostId } })
      expect(refused.status).toBe(409)
      expect(refused.body.refused).toContainEqual({
        host: 'elsewhere',
        reason: expect.stringContaining(`storage connection ${CONNECTION}`),
      })
      const made = await Promise.all(Array.from({ length: 4 }, () => tried.create({ how: 'dead' })))
      expect(made.map((guest) => guest.hostId)).toEqual(made.map(() => tried.hostId))
      await tried.removeAll()
    } finally {
      await other.stop()
      await libvirt.end()
    }
  }, 240_000)
})
