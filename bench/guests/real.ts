import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { run } from '../../src/agent/host/run.js'
import type { BenchEngine } from '../engine.js'
import type { BenchSetting, Figure } from '../figures.js'
import { call } from '../haproxy/calls.js'
import { startRealAgent } from '../real-agent.js'
import { median, spreadOf } from '../statistics.js'
import { until } from '../until.js'
import { bareBoot } from './bare-boot.js'
import { active, askForGuest, ended, removed } from './calls.js'

const full = { rounds: 7, atOnce: 20, bootTimeoutMs: 15_000 }
const smoke = { rounds: 1, atOnce: 2, bootTimeoutMs: 5_000 }
const CONNECTION = 'bench-guests'

interface Libvirt {
  readonly uri: string
  start(waitFor: (what: string, look: () => Promise<boolean>, withinMs: number) => Promise<unknown>): Promise<void>
  stop(): Promise<void>
}
/** The quickstart's. */
interface LibvirtModule {
  missingForGuests(): string[]
  readonly Libvirt: new (root: string) => Libvirt
}

interface Ground {
  readonly engine: BenchEngine
  readonly uri: string
  readonly hostId: string
  readonly image: (words?: string) => Promise<string>
}

/** By the real agent of this machine and a libvirt of the bench's own, with the minimal guest. */
export async function measureReal(setting: BenchSetting, engine: BenchEngine): Promise<Figure[]> {
  const module = (await import(pathToFileURL(resolve('scripts/sandbox/libvirt.mjs')).href)) as LibvirtModule
  const missing = module.missingForGuests()
  if (missing.length > 0) {
    process.stdout.write(`left out: guests on real libvirt: this machine lacks ${missing.join(', ')}\n`)
    return []
  }
  const size = setting.smoke ? smoke : full
  const ground = await groundOf(setting, engine, module.Libvirt)
  return [
    await measureOverhead(ground, size.rounds),
    await measureDead(ground, size.bootTimeoutMs),
    await measureAtOnce(ground, size.atOnce),
  ]
}

async function groundOf(
  setting: BenchSetting,
  engine: BenchEngine,
  libvirtOf: LibvirtModule['Libvirt'],
): Promise<Ground> {
  const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-guests-'))
  setting.afterwards(() => rm(directory, { recursive: true, force: true }))
  const libvirt = new libvirtOf(directory)
  setting.afterwards(() => libvirt.stop())
  await libvirt.start((what, look, withinMs) => until(what, () => look().catch(() => false), { withinMs }))
  const made = await run(process.execPath, ['scripts/minimal-guest.mjs'], { deadlineMs: 120_000 })
  if (made.outcome !== 'exited' || made.code !== 0) throw new Error('the minimal guest could not be made')
  // what the script prints
  const files = JSON.parse(made.stdout) as { kernel: string; initrd: string }
  const storage = join(directory, 'storage')
  await mkdir(storage)
  await copyFile(files.kernel, join(storage, 'vmlinuz'))
  await copyFile(files.initrd, join(storage, 'initrd'))
  await startRealAgent(setting, engine, directory, { KEELSON_LIBVIRT_URI: libvirt.uri })
  const hostId = await until(
    'the host can run guests',
    async () => {
      const { items } = await engine.get<{ items: { id: string; capabilities: string[] }[] }>('/hosts?name=real')
      return items[0]?.capabilities.includes('hypervisor:libvirt') ? items[0].id : null
    },
    { withinMs: 120_000 },
  )
  await call(engine, 'PUT', `/hosts/${hostId}/storage-connections/${CONNECTION}`, { uri: `local://${storage}` })
  await call(engine, 'PUT', '/settings/guests.vcpusPerCpu', { value: 64 })
  await until('the storage is up', async () => {
    const shown = await engine.get<{ operatingStatus: string }>(`/hosts/${hostId}/storage-connections/${CONNECTION}`)
    return shown.operatingStatus === 'UP'
  })
  const image = async (words = ''): Promise<string> => {
    const { id } = await call<{ id: string }>(engine, 'POST', '/images', {
      name: `minimal${words}`,
      format: 'kernel',
      connectionId: CONNECTION,
      files: [
        { role: 'kernel', path: 'vmlinuz' },
        { role: 'initrd', path: 'initrd' },
      ],
      commandLine: `console=ttyS0 quiet${words}`,
      hasAgent: true,
    })
    return id
  }
  return { engine, uri: libvirt.uri, hostId, image }
}

/** In turns with the same machine, started and pinged by virsh alone. */
async function measureOverhead({ engine, uri, hostId, image }: Ground, rounds: number): Promise<Figure> {
  const imageId = await image()
  const [plane, bare]: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round += 1) {
    const startMs = performance.now()
    const { id } = await askForGuest(engine, { name: `round-${round}`, imageId, placement: { hostId } })
    await active(engine, id)
    const planeMs = performance.now() - startMs
    const bareMs = await bareBoot(uri, id)
    await removed(engine, [id])
    // the first one warms what is read from disk
    if (round === 0) continue
    plane.push(planeMs)
    bare.push(bareMs)
  }
  const added = plane.map((ms, round) => ms - (bare[round] ?? 0))
  return {
    bench: 'guests',
    name: 'what the plane adds to the boot of a 4 MB guest',
    value: median(plane) - median(bare),
    unit: 'ms',
    spread: spreadOf(added),
    limit: { value: median(bare), what: 'ms from virsh start to the first answer of its agent' },
    bound: { of: 'value', atMost: 300 },
    note: `from the request to ACTIVE ${median(plane).toFixed(0)} ms; spread is of single rounds`,
  }
}

async function measureDead({ engine, hostId, image }: Ground, bootTimeoutMs: number): Promise<Figure> {
  const imageId = await image(' guest.how=dead')
  const { id } = await askForGuest(engine, { name: 'dead', imageId, bootTimeoutMs, placement: { hostId } })
  await until('it is pinged', async () => (await engine.get<{ step: string }>(`/guests/${id}`)).step === 'ping', {
    everyMs: 5,
  })
  const pingedMs = performance.now()
  const { provisioningStatus, fault } = await ended(engine, id)
  const tookMs = performance.now() - pingedMs
  await removed(engine, [id])
  return {
    bench: 'guests',
    name: 'a dead guest is in ERROR after its boot timeout by',
    value: tookMs - bootTimeoutMs,
    unit: 'ms',
    bound: { of: 'value', atMost: 1_000 },
    note: `${provisioningStatus}, ${fault?.type}; the boot timeout is ${bootTimeoutMs} ms`,
  }
}

async function measureAtOnce({ engine, hostId, image }: Ground, atOnce: number): Promise<Figure> {
  const imageId = await image(' loglevel=3')
  const startMs = performance.now()
  const asked = await Promise.all(
    Array.from({ length: atOnce }, (_, n) =>
      askForGuest(engine, {
        name: `at-once-${n}`,
        imageId,
        placement: { hostId },
        prepare: { commands: [{ argv: ['true'] }] },
      }),
    ),
  )
  const all = await Promise.all(asked.map(({ id }) => ended(engine, id, 600_000)))
  const tookMs = performance.now() - startMs
  const failed = all.filter(({ provisioningStatus }) => provisioningStatus !== 'ACTIVE')
  await removed(
    engine,
    asked.map(({ id }) => id),
  )
  return {
    bench: 'guests',
    name: `guests that fail of ${atOnce} that are made at once on one host`,
    value: failed.length,
    unit: 'guests',
    bound: { of: 'value', atMost: 0 },
    note: `all are ACTIVE after ${(tookMs / 1_000).toFixed(0)} s${failed.map(({ fault }) => `; ${fault?.type}: ${fault?.message}`).join('')}`,
  }
}
