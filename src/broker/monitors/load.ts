import { readdir, readFile } from 'node:fs/promises'
import { float, type MonitorType, type OptionRule, type Options } from './monitor.js'

/** Of the original, where they led to VDSM; the kernel is asked instead. */
const vdsm: Readonly<Record<string, OptionRule>> = { address: {}, use_ssl: {} }
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

interface Ticks {
  readonly busy: number
  readonly total: number
  /** Of the engine's own guest. */
  readonly engine: number
}

/** Share of the processors that was busy since the last look, 0 to 1. The first look has nothing to compare with. */
const load =
  (engineOf: (options: Options) => string | null): MonitorType['start'] =>
  (options) => {
    let before: Ticks | null = null
    return async () => {
      const now = await ticks(engineOf(options))
      const last = before
      before = now
      const total = last === null ? 0 : now.total - last.total
      if (last === null || total <= 0) throw new Error('there is one look only, so far')
      const busy = now.busy - last.busy - Math.max(0, now.engine - last.engine)
      return float(Math.round(Math.min(1, Math.max(0, busy / total)) * 10_000) / 10_000)
    }
  }

export const cpuLoad: MonitorType = { options: { ...vdsm, vm_uuid: {} }, start: load(() => null) }

/** What the engine's own guest takes is not counted: a host is not worse for running it. */
export const cpuLoadNoEngine: MonitorType = {
  options: { ...vdsm, vm_uuid: { isRequired: true, pattern: UUID } },
  start: load(({ vm_uuid: uuid }) => uuid ?? null),
}

/** MiB that programs could still have. */
export const memFree: MonitorType = {
  options: vdsm,
  start: () => async () => {
    const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]
    if (kib === undefined) throw new Error('the kernel does not say how much memory is available')
    return String(Math.floor(Number(kib) / 1024))
  },
}

async function ticks(engine: string | null): Promise<Ticks> {
  const line = /^cpu\s+(.*)$/m.exec(await readFile('/proc/stat', 'utf8'))?.[1] ?? ''
  // user nice system idle iowait irq softirq steal; the guests' own are among user
  const fields = line.split(/\s+/).slice(0, 8).map(Number)
  const total = fields.reduce((sum, n) => sum + n, 0)
  const idle = (fields[3] ?? 0) + (fields[4] ?? 0)
  return { busy: total - idle, total, engine: engine === null ? 0 : await ticksOfGuest(engine) }
}

/** Of QEMU, which names the guest's uuid in its arguments; 0 where it does not run here. */
async function ticksOfGuest(uuid: string): Promise<number> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (!argv[0]?.includes('qemu') || !argv.includes(uuid)) continue
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    // behind the name, which may hold anything: state is the third field, utime the 14th, stime the 15th (proc(5))
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  }
  return 0
}
