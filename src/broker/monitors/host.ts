import { statfs } from 'node:fs/promises'
import { wordsOf } from '../../agent/host/run.js'
import { float, type MonitorType, truth } from './monitor.js'

const COMMAND_MS = 5_000
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Whether the whiteboard can be read: the storage that all hosts of it share. */
export const storageDomain: MonitorType = {
  options: { sd_uuid: {} },
  start:
    (_, { readWhiteboard }) =>
    async () =>
      truth((await readWhiteboard()).isGood === true),
}

/** Whether libvirt answers. */
export const libvirt: MonitorType = {
  options: {},
  start:
    (_, { run, libvirtUri }) =>
    async (signal) => {
      const result = await run('virsh', ['-q', '-c', libvirtUri, 'list', '--name'], { deadlineMs: COMMAND_MS, signal })
      if (result.outcome === 'exited' && result.code === 0) return truth(true)
      throw new Error(wordsOf(result))
    },
}

/** MiB that are free where the path is. */
export const diskSpace: MonitorType = {
  options: { path: { isRequired: true, pattern: /^\/.{0,1023}$/ } },
  start:
    ({ path }) =>
    async () => {
      const { bavail, bsize } = await statfs(path!)
      return String(Math.floor((bavail * bsize) / 2 ** 20))
    },
}

/** Seconds by which the clock is ahead of its sources, as chrony measures it. */
export const clockOffset: MonitorType = {
  options: {},
  start:
    (_, { run }) =>
    async (signal) => {
      const result = await run('chronyc', ['-c', 'tracking'], { deadlineMs: COMMAND_MS, signal })
      if (result.outcome !== 'exited' || result.code !== 0) throw new Error(wordsOf(result))
      // reference id, name, stratum, time, system time offset
      const [id, , , , offset] = result.stdout.trim().split(',')
      if (id === undefined || id === '00000000' || Number.isNaN(Number(offset ?? 'none')))
        throw new Error('chrony follows no source')
      return float(Number(offset))
    },
}

/** JSON text as the original's: vm, health, detail. What is not known is bad, and says why. */
export const engineHealth: MonitorType = {
  options: {
    address: {},
    use_ssl: {},
    vm_uuid: { isRequired: true, pattern: UUID },
    liveliness_url: { pattern: /^https?:\/\/\S{1,500}$/ },
  },
  start:
    ({ vm_uuid: uuid, liveliness_url: url }, { run, libvirtUri }) =>
    async (signal) => {
      const result = await run('virsh', ['-q', '-c', libvirtUri, 'domstate', uuid!], { deadlineMs: COMMAND_MS, signal })
      if (result.outcome !== 'exited') throw new Error(wordsOf(result))
      if (result.code !== 0) {
        if (!/failed to get domain|Domain not found/i.test(result.stderr)) throw new Error(wordsOf(result))
        return JSON.stringify({
          vm: 'down_unexpected',
          health: 'bad',
          detail: 'unknown',
          reason: 'vm not running on this host',
        })
      }
      const state = result.stdout.trim()
      if (state !== 'running')
        return JSON.stringify({ vm: 'down', health: 'bad', detail: state, reason: 'vm not running on this host' })
      const lack = await whyNotLively(url, signal)
      return JSON.stringify(
        lack === null
          ? { vm: 'up', health: 'good', detail: 'Up' }
          : { vm: 'up', health: 'bad', detail: 'Up', reason: `failed liveliness check: ${lack}` },
      )
    },
}

/** That it runs is not that it serves. @returns null where the engine in it answers */
async function whyNotLively(url: string | undefined, signal: AbortSignal): Promise<string | null> {
  if (url === undefined) return 'no liveliness_url was given'
  try {
    const reply = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(COMMAND_MS)]) })
    await reply.body?.cancel()
    return reply.ok ? null : `it answers ${reply.status}`
  } catch (error) {
    const { message, cause } = error as Error
    return cause instanceof Error ? cause.message : message
  }
}
