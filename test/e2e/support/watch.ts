import type { VirtualHost } from './virtual-host.js'

export interface Seen {
  readonly least: number
  readonly most: number
  readonly looks: number
}

/** Which of the kernel's lists, and what stands in the lines, or names the sessions, that count. */
export type Connected = readonly [list: 'mounts' | 'sessions', text: string]
/** Or in how many processes' argv the text is. */
export type Watched = Connected | readonly [list: 'arguments', text: string]

const LIMIT_MS = 300_000
let watches = 0

/** How often the guest's kernel has it at once, looked at many times a second while `work` goes on. */
export async function watching(host: VirtualHost, watched: Watched, work: () => Promise<void>): Promise<Seen> {
  watches += 1
  const [started, stop] = [`/run/watch-${watches}.started`, `/run/watch-${watches}.stop`]
  const [list, text] = watched
  const command = `touch ${started}; exec /opt/keelson/node /opt/keelson/watch.mjs ${list} ${stop}`
  // the text in no argv: it may be what is looked for there
  const watch = host.exec(['sh', '-c', command], { timeoutMs: LIMIT_MS, input: text })
  // its end is waited for below; until then it is no stray rejection
  watch.catch(() => undefined)
  await host.sh(`while [ ! -e ${started} ]; do sleep 0.1; done; sleep 2`)
  try {
    await work()
  } finally {
    await host.exec(['touch', stop])
  }
  return JSON.parse(await watch) as Seen
}

/** One look. */
export async function countNow(host: VirtualHost, [list, text]: Connected): Promise<number> {
  const files = { mounts: '/proc/self/mountinfo', sessions: '/sys/class/iscsi_session/*/targetname' }
  const { stdout } = await host.run(['sh', '-c', `grep -hF -- "$1" ${files[list]} | wc -l`, 'count', text])
  return Number(stdout)
}
