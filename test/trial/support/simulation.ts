import { existsSync, readFileSync } from 'node:fs'
import type { CommandLine } from '../../../src/simulate/command-log.js'
import type { TestProcess } from '../../support/process.js'
import type { Ground } from './ground.js'
import type { Plane } from './plane.js'
import type { Body } from './rest.js'
import { seed } from './scale.js'

/** `keelson simulate`: many hosts without effects, and a log of all that they did. */
export class Simulation {
  readonly names: readonly string[]
  private readonly process: TestProcess
  private readonly commandLog: string

  constructor(ground: Ground, plane: Plane, count: number, { scenario }: { readonly scenario?: string } = {}) {
    this.names = Array.from({ length: count }, (_, index) => `sim-${index + 1}`)
    this.commandLog = ground.path('commands.ndjson')
    this.process = ground.keelson(['simulate'], {
      env: {
        KEELSON_ENGINES: plane.tcpAddress,
        KEELSON_JOIN_TOKEN_FILE: plane.joinTokenFile,
        KEELSON_SIMULATE_HOSTS: String(count),
        KEELSON_SIMULATE_NAME_PREFIX: 'sim-',
        KEELSON_SIMULATE_SEED: String(seed),
        KEELSON_SIMULATE_COMMAND_LOG: this.commandLog,
        KEELSON_LOG_FORMAT: 'json',
        ...(scenario ? { KEELSON_SIMULATE_SCENARIO: scenario } : {}),
      },
    })
  }

  async hostsUp(plane: Plane): Promise<Body[]> {
    const hosts: Body[] = []
    for (const name of this.names) hosts.push(await plane.hostUp(name))
    return hosts
  }

  lines(): (CommandLine & { readonly at: number })[] {
    if (!existsSync(this.commandLog)) return []
    const text = readFileSync(this.commandLog, 'utf8')
    // the last line may be half written
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }

  async stop(): Promise<void> {
    this.process.signal('SIGTERM')
    await this.process.ended
  }
}
