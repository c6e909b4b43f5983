import { appendFile, mkdir, readFile, rmdir, stat, truncate, writeFile } from 'node:fs/promises'
import { journalPath, openJournal, readJournal } from '../../src/agent/journal.js'
import { silentLogger } from '../../src/agent/logger.js'
import { StateDirectoryError } from '../../src/agent/state-error.js'
import { eventually } from '../support/eventually.js'
import { command } from './support/commands.js'
import { recordingLogger } from './support/log.js'
import { temporaryDirectory } from './support/temporary.js'

describe('the journal', () => {
  it('keeps who the agent is and what it has seen over a restart', async () => {
    const directory = await temporaryDirectory()
    const first = await openJournal(directory, silentLogger)
    const { agentId } = first
    await Promise.all([first.sawEpoch(7), first.serves('incarnation-a'), first.sawSeq(41), first.raiseFloor(12)])
    await first.close()

    const second = await openJournal(directory, silentLogger)
    expect(second).toMatchObject({ agentId, epoch: 7, incarnation: 'incarnation-a', seq: 41, floor: 12 })
    await second.close()
  })

  it('never goes back in epoch, sequence or floor', async () => {
    const journal = await openJournal(await temporaryDirectory(), silentLogger)
    await Promise.all([journal.sawEpoch(7), journal.sawEpoch(3), journal.sawSeq(9), journal.sawSeq(2)])
    await Promise.all([journal.raiseFloor(5), journal.raiseFloor(1)])
    expect(journal).toMatchObject({ epoch: 7, seq: 9, floor: 5 })
    await journal.close()
  })

  it('keeps what was acknowledged over a kill at any moment, without a word of what was not', async () => {
    const directory = await temporaryDirectory()
    const journal = await openJournal(directory, silentLogger)
    const one = command()
    await journal.received(one)
    await journal.started(one.id)
    // No close: the process is gone.
    const { state } = await readJournal(directory)
    expect(state.entries.get(one.id)).toMatchObject({ state: 'started', seq: one.seq, subject: one.subject })

    await journal.done(one.id, { state: 'succeeded', result: { target: 't' } })
    const after = (await readJournal(directory)).state
    expect(after.entries.get(one.id)?.outcome).toEqual({ state: 'succeeded', result: { target: 't' } })
    expect(after.marks.get(one.subject)).toBe(one.seq)

    await journal.forgotten([one.id])
    const forgotten = (await readJournal(directory)).state
    expect(forgotten.entries.size).toBe(0)
    expect(forgotten.marks.get(one.subject)).toBe(one.seq)
    await journal.close()
  })

  it('does not write payloads down', async () => {
    const directory = await temporaryDirectory()
    const journal = await openJournal(directory, silentLogger)
    await journal.received(command({ payload: { connectionId: 'c1', uri: 'local:///very-secret', options: {} } }))
    expect(await readFile(journalPath(directory), 'utf8')).not.toContain('very-secret')
    await journal.close()
  })

  it('drops a last line that was cut short at any byte, says so, and goes on', async () => {
    const directory = await temporaryDirectory()
    const path = journalPath(directory)
    const journal = await openJournal(directory, silentLogger)
    await journal.sawEpoch(3)
    const goodBytes = (await stat(path)).size
    await journal.sawEpoch(4)
    await journal.close()
    const whole = await readFile(path)

    for (let length = goodBytes + 1; length < whole.length; length += 1) {
      await writeFile(path, whole)
      await truncate(path, length)
      const logger = recordingLogger()
      const torn = await openJournal(directory, logger)
      expect(torn.epoch).toBe(3)
      expect(logger.lines.map(({ message }) => message)).toContain(
        'the last write to the journal was cut short: dropped',
      )
      await torn.sawEpoch(5)
      await torn.close()
      expect((await readJournal(directory)).state.epoch).toBe(5)
    }
  })

  it('drops garbage and holes that a power cut left behind the last fsync', async () => {
    const directory = await temporaryDirectory()
    const journal = await openJournal(directory, silentLogger)
    await journal.sawEpoch(3)
    await journal.close()
    await appendFile(journalPath(directory), Buffer.concat([Buffer.alloc(512), Buffer.from('\nnonsense\n')]))
    const again = await openJournal(directory, silentLogger)
    expect(again.epoch).toBe(3)
    await again.close()
  })

  it('refuses to start on a journal that is damaged where it was once on disk', async () => {
    const directory = await temporaryDirectory()
    const journal = await openJournal(directory, silentLogger)
    await journal.sawEpoch(3)
    await journal.sawEpoch(4)
    await journal.sawEpoch(5)
    await journal.close()
    const path = journalPath(directory)
    const bytes = await readFile(path)
    const at = bytes.indexOf('"epoch":3')
    bytes[at + 8] = '9'.charCodeAt(0)
    await writeFile(path, bytes)
    const refusal = await openJournal(directory, silentLogger).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(StateDirectoryError)
    expect((refusal as Error).message).toContain(path)
  })

  it('shares one write among many appends', async () => {
    const directory = await temporaryDirectory()
    const journal = await openJournal(directory, silentLogger)
    const commands = Array.from({ length: 1000 }, () => command())
    await Promise.all(commands.map((one) => journal.received(one)))
    const lines = (await readFile(journalPath(directory), 'utf8')).trim().split('\n').slice(1)
    // The second word of a line is how much was on disk when it was written: equal within one write.
    const writes = new Set(lines.map((line) => line.split(' ')[1]))
    expect(lines).toHaveLength(1000)
    expect(writes.size).toBe(1)
    await journal.close()
  })

  it('rewrites a long file to what still matters, and loses nothing by it', async () => {
    const directory = await temporaryDirectory()
    const options = { compactAboveBytes: 20_000 }
    const journal = await openJournal(directory, silentLogger, options)
    const kept = command({ subject: 'storage-connection/kept' })
    await journal.received(kept)
    for (let round = 0; round < 60; round += 1) {
      const batch = Array.from({ length: 10 }, () => command({ subject: `storage-connection/s${round % 7}` }))
      await Promise.all(batch.map((one) => journal.received(one)))
      await Promise.all(batch.map((one) => journal.done(one.id, { state: 'succeeded' })))
      await journal.forgotten(batch.map(({ id }) => id))
    }
    const { agentId } = journal
    const marks = Array.from({ length: 7 }, (_, i) => journal.markOf(`storage-connection/s${i}`))
    expect((await stat(journalPath(directory))).size).toBeLessThan(25_000)
    await journal.close()

    const again = await openJournal(directory, silentLogger, options)
    expect(again.agentId).toBe(agentId)
    expect(Array.from({ length: 7 }, (_, i) => again.markOf(`storage-connection/s${i}`))).toEqual(marks)
    expect([...again.entries()].map(({ id, state }) => ({ id, state }))).toEqual([{ id: kept.id, state: 'received' }])
    await again.close()
  })

  it('waits for a disk that refuses, says so, and has everything written when it is back', async () => {
    const directory = await temporaryDirectory()
    const logger = recordingLogger()
    const journal = await openJournal(directory, logger, { compactAboveBytes: 0, retryMs: 10 })
    await mkdir(`${journalPath(directory)}.new`)
    let written = false
    const waiting = journal.sawEpoch(8).then(() => {
      written = true
    })
    await eventually(() =>
      expect(logger.lines.map(({ message }) => message)).toEqual(['the journal cannot be written']),
    )
    expect(written).toBe(false)
    await rmdir(`${journalPath(directory)}.new`)
    await waiting
    expect((await readJournal(directory)).state.epoch).toBe(8)
    await journal.close()
  })

  it('forgets marks that the floor has passed, and answers with the floor instead', async () => {
    const journal = await openJournal(await temporaryDirectory(), silentLogger)
    const one = command()
    await journal.received(one)
    await journal.done(one.id, { state: 'succeeded' })
    expect(journal.markCount).toBe(1)
    await journal.raiseFloor(one.seq)
    expect(journal.markCount).toBe(0)
    expect(journal.markOf(one.subject)).toBe(one.seq)
    await journal.close()
  })
})
