import { BenchProcess } from '../bench-process.js'
import type { BenchDatabase } from '../database.js'
import type { BenchEngine } from '../engine.js'
import { Simulator } from '../simulator.js'
import type { FleetOrder } from './fleet-process.js'
import { type Member, record } from './members.js'

export interface MembersOrder extends FleetOrder {
  readonly engine: BenchEngine
  readonly database: BenchDatabase
}

/**
 * Hosts that have joined before: enrolment takes minutes for thousands, and is not what the fleet is watched for. Their
 * sessions are in all the same as those of hosts that were enrolled.
 */
export async function startMembers({ engine, database, hosts, authority }: MembersOrder): Promise<Simulator> {
  const process = new BenchProcess('bench/fleet/fleet-process.js')
  try {
    await record(database, await process.ask<Member[]>('certify', { hosts, authority } satisfies FleetOrder))
    await process.ask('play', { tcpPort: engine.tcpPort })
    return new Simulator(engine, database, hosts, process)
  } catch (error) {
    await process.stop('SIGKILL')
    throw error
  }
}
