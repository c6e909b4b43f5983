import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchEngine } from '../engine.js'
import type { BenchSetting } from '../figures.js'
import { startRealAgent } from '../real-agent.js'
import { until } from '../until.js'

interface Hosts {
  readonly items: readonly { readonly status: string; readonly capabilities: readonly string[] }[]
}

/** This machine as a host with the real agent, and the HAProxies that it starts. */
export class RealHost {
  private constructor(private readonly directory: string) {}

  static async start(setting: BenchSetting, engine: BenchEngine): Promise<RealHost> {
    const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-haproxy-'))
    const host = new RealHost(directory)
    setting.afterwards(async () => {
      for (const pid of host.haproxies()) process.kill(pid, 'SIGKILL')
      await rm(directory, { recursive: true, force: true })
    })
    await startRealAgent(setting, engine, directory)
    await until('the host is up', async () => {
      const [one] = (await engine.get<Hosts>('/hosts?name=real')).items
      return one?.status === 'Up' && one.capabilities.includes('balancing:haproxy')
    })
    return host
  }

  /** Masters and workers, in the order of their numbers: others after a reload. */
  haproxies(): number[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .filter((pid) => {
        const [program = '', ...args] = commandOf(pid)
        return program.endsWith('haproxy') && args.some((argument) => argument.includes(this.directory))
      })
      .sort((a, b) => a - b)
  }
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    // it has ended meanwhile
    return []
  }
}
