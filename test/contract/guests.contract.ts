import { randomUUID } from 'node:crypto'
import { FaultError } from '../../src/agent/fault.js'
import type { GuestSight, HypervisorDriver } from '../../src/agent/guests/driver.js'
import { deliver, pingUntil } from '../../src/agent/guests/messages.js'
import type { MessageDone, Pong } from '../../src/wire/guests/commands.js'
import type { GuestIntent, VolumeIntent } from '../../src/wire/guests/intent.js'
import { eventually } from '../support/eventually.js'

/** A hypervisor, and what its guests are made of. */
export interface GuestSubject {
  readonly driver: HypervisorDriver
  /** One that answers, on that disk. */
  guest(disk: VolumeIntent): GuestIntent
  readonly connectionId: string
  /** Whatever is still there of guests, but for their volumes. */
  leftovers(): readonly string[]
  end(): Promise<void>
}

const never = new AbortController().signal
const ANSWERS_MS = 180_000

/** What the agent relies on, whatever runs the guests. */
export function describeGuestContract(name: string, start: () => Promise<GuestSubject>): void {
  describe(`a guest of ${name}`, () => {
    let subject: GuestSubject
    let driver: HypervisorDriver
    let volume: VolumeIntent
    let guest: GuestIntent

    beforeAll(async () => {
      subject = await start()
      ;({ driver } = subject)
    }, 180_000)
    afterAll(() => subject?.end(), 60_000)

    beforeEach(async () => {
      const { connectionId } = subject
      volume = { id: randomUUID(), connectionId, format: 'qcow2', sizeMiB: 32, origin: null }
      await driver.ensureVolume(volume, never)
      guest = subject.guest(volume)
    })
    afterEach(async () => {
      await driver.remove(guest.id, never)
      await driver.removeVolume(volume, never)
    })

    const answers = (): Promise<Pong> => pingUntil(driver.channel(guest.id), ANSWERS_MS, never)
    const layer = (work: () => Promise<unknown>): Promise<string> =>
      work().then(
        () => 'nothing',
        (error: unknown) => (error instanceof FaultError ? error.type : String(error)),
      )
    const say = (bootId: string, messageId: string): Promise<MessageDone> => {
      const task = { users: [], packages: [], files: [], commands: [{ argv: ['true'] }] }
      const message = { guestId: guest.id, messageId, kind: 'run' as const, bootId, runTimeoutMs: 60_000, task }
      return deliver(driver.channel(guest.id), message, never)
    }
    const seen = (wanted: Partial<GuestSight>) =>
      eventually(async () => expect(await driver.see(guest.id)).toMatchObject(wanted), { timeoutMs: ANSWERS_MS })

    it('is there as it was asked for, however often that is asked, until it is removed, and leaves nothing', async () => {
      expect(await driver.see(guest.id)).toBeNull()
      await driver.apply(guest, never)
      const { bootId } = await answers()
      expect(await driver.apply(guest, never)).toBe(false)
      await seen({ status: 'RUNNING', bootId, agentPort: 'OPEN', fault: null })
      expect(await answers()).toMatchObject({ bootId })
      expect(await driver.list()).toEqual([guest.id])
      expect(await driver.remove(guest.id, never)).toBe(true)
      expect(await driver.remove(guest.id, never)).toBe(false)
      expect(await driver.see(guest.id)).toBeNull()
      expect(await driver.list()).toEqual([])
      expect(subject.leftovers()).toEqual([])
    }, 240_000)

    it('does what it is told once, in the boot that has answered and in no other', async () => {
      await driver.apply(guest, never)
      const first = await answers()
      const messageId = randomUUID()
      const done = await say(first.bootId, messageId)
      expect(done).toMatchObject({ exitCode: 0 })
      expect(await say(first.bootId, messageId)).toEqual({ ...done, before: true })
      await driver.reset(guest, 'reset', never)
      const second = await answers()
      expect(second.bootId).not.toBe(first.bootId)
      expect(await layer(() => say(first.bootId, randomUUID()))).toBe('boot-changed')
      // its disk remembers over the boot
      expect(await say(second.bootId, messageId)).toMatchObject({ exitCode: 0, before: true })
    }, 300_000)

    it('is paused and goes on in its boot, and is stopped and started into another', async () => {
      await driver.apply(guest, never)
      const { bootId } = await answers()
      await driver.apply({ ...guest, power: 'PAUSED' }, never)
      await seen({ status: 'PAUSED', bootId })
      expect(await layer(() => driver.channel(guest.id).ping(never))).toBe('agent-silent')
      await driver.apply(guest, never)
      expect(await answers()).toMatchObject({ bootId })
      await driver.apply({ ...guest, power: 'STOPPED' }, never)
      await seen({ status: 'STOPPED', bootId: null })
      expect(await layer(() => driver.channel(guest.id).ping(never))).toBe('vm-not-started')
      await driver.apply(guest, never)
      expect((await answers()).bootId).not.toBe(bootId)
    }, 300_000)
  })
}
