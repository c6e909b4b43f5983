import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

/** `accepted`: it came, for each time it came; `acting`: a handler begins; `ended`; `reported`: the plane has recorded it. */
export type CommandStep = 'accepted' | 'acting' | 'ended' | 'reported'

/** One line of the log, for whoever compares what hosts did with what the plane believes. */
export interface CommandLine {
  readonly host: string
  readonly step: CommandStep
  readonly commandId: string
  readonly seq: number
  /** Of the session that carried it. */
  readonly epoch: number
  readonly kind?: string
  readonly subject?: string
  readonly generation?: number
  /** How it ended. */
  readonly state?: string
  readonly fault?: string
}

export interface CommandLog {
  write(line: CommandLine): void
  close(): Promise<void>
}

export const noCommandLog: CommandLog = { write() {}, close: async () => undefined }

/** Each line also says when, in milliseconds since 1970 with fractions of the monotonic clock. */
export function openCommandLog(path: string, onError: (error: Error) => void): CommandLog {
  const file = createWriteStream(path, { flags: 'a' })
  file.on('error', onError)
  return {
    write: (line) =>
      void file.write(`${JSON.stringify({ at: performance.timeOrigin + performance.now(), ...line })}\n`),
    close: async () => {
      file.end()
      await finished(file).catch(() => undefined)
    },
  }
}
