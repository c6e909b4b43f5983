import { readFile } from 'node:fs/promises'
import * as os from 'node:os'
import type { HostFacts, Tool } from '../../wire/session.js'
import { clipped } from '../../wire/text.js'
import { run } from './run.js'

const PROBE_MS = 3000

/** Each tool that a driver uses, by the program and the arguments that make it tell its version. */
const toolProbes: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  mount: ['mount', '--version'],
  umount: ['umount', '--version'],
  find: ['find', '--version'],
  losetup: ['losetup', '--version'],
  'mount.nfs': ['mount.nfs', '-V'],
  iscsiadm: ['iscsiadm', '--version'],
  glusterfs: ['glusterfs', '--version'],
  'ceph-fuse': ['ceph-fuse', '--version'],
  haproxy: ['haproxy', '-v'],
  nginx: ['nginx', '-v'],
  libvirtd: ['libvirtd', '--version'],
  'qemu-img': ['qemu-img', '--version'],
}

export async function readHostFacts(): Promise<HostFacts> {
  const cpus = os.cpus()
  return {
    hostname: clipped(os.hostname(), 255),
    os: clipped(await osName(), 255),
    kernel: clipped(os.release(), 255),
    arch: clipped(os.machine(), 32),
    cpus: Math.max(1, cpus.length),
    cpuModel: clipped((cpus[0]?.model ?? 'unknown').trim(), 255),
    memoryBytes: os.totalmem(),
    tools: await readTools(),
  }
}

/** Version null: not installed. The probes run side by side and end in time even where a tool hangs. */
export async function readTools(probes = toolProbes): Promise<Tool[]> {
  return Promise.all(
    Object.entries(probes).map(async ([name, [program, ...args]]) => {
      const result = await run(program, args, { deadlineMs: PROBE_MS, killAfterMs: 100 })
      const version = result.outcome === 'exited' ? versionIn(`${result.stdout}\n${result.stderr}`) : null
      return { name, version: result.outcome === 'not-started' ? null : (version ?? 'unknown') }
    }),
  )
}

/** Changes with every boot. */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

const versionIn = (text: string): string | null => /\d+(?:\.\d+)+[\w.+~-]*/.exec(text)?.[0].slice(0, 128) ?? null

async function osName(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return /^PRETTY_NAME="?([^"\n]+)"?$/m.exec(release)?.[1] ?? os.type()
}
