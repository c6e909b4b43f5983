import { execFile } from 'node:child_process'

export interface Traffic {
  readonly requests: number
  /** Without a good reply: refused, cut off, late, or with another status than 2xx and 3xx. */
  readonly failed: number
}

const SPARE_MS = 30_000

/** @returns whether wrk (Debian: `wrk`) is there */
export const hasWrk = (): Promise<boolean> =>
  new Promise((resolve) => {
    // without arguments it tells how to use it, as a failure
    execFile('wrk', [], (error) => resolve(error?.code !== 'ENOENT'))
  })

/** @param connections are kept alive, and each sends its next request when the reply is there */
export function wrk(url: string, connections: number, forMs: number): Promise<Traffic> {
  const args = ['-t', '1', '-c', String(connections), '-d', `${Math.ceil(forMs / 1_000)}s`, url]
  return new Promise((resolve, reject) => {
    execFile('wrk', args, { timeout: forMs + SPARE_MS, killSignal: 'SIGKILL' }, (error, stdout) =>
      error ? reject(new Error('wrk failed', { cause: error })) : resolve(readTraffic(stdout)),
    )
  })
}

/** As wrk prints it; a line that counts failures is there only when there are any. */
export function readTraffic(text: string): Traffic {
  const requests = /(\d+) requests in/.exec(text)?.[1]
  if (requests === undefined) throw new Error(`wrk said: ${text}`)
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? []
  const status = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.slice(1) ?? []
  return { requests: Number(requests), failed: [...socket, ...status].reduce((sum, count) => sum + Number(count), 0) }
}
