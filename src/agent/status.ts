import { stat } from 'node:fs/promises'
import { type HeldBalancer, heldBalancer, nothingSeen } from './balancing/held.js'
import { BalancingState } from './balancing/state.js'
import { askAgent } from './control.js'
import { GuestState } from './guests/state.js'
import type { Holds } from './holds.js'
import { type HostIdentity, readIdentity, validityOf } from './identity.js'
import { readJournal } from './journal.js'
import type { EntryState, JournalEntry } from './journal-record.js'
import type { SessionStatus } from './session-client.js'
import { StateDirectoryError } from './state-error.js'
import { holderOf } from './storage/holder.js'
import { type KernelConnection, readKernelConnections } from './storage/kernel.js'
import { boundedSightings, type Sighting, unmanagedAmong } from './storage/sightings.js'
import { StorageState } from './storage/state.js'

export interface JournalStatus {
  readonly seq: number
  readonly floor: number
  /** Subjects with a mark above the floor. */
  readonly marks: number
  readonly entries: Readonly<Record<EntryState, number>>
}

/** What an agent, or what it left on disk, says about itself. */
export interface AgentStatus {
  readonly agent: 'running' | 'not-answering' | 'not-running'
  /** Null where the host has joined no plane. */
  readonly name: string | null
  readonly hostId: string | null
  readonly certificate: { readonly serial: string; readonly notAfter: string } | null
  readonly agentId: string
  readonly incarnation: string | null
  /** Highest session epoch seen. */
  readonly epoch: number
  readonly session: SessionStatus | null
  readonly queue: { readonly queued: number; readonly acting: number; readonly reporting: number } | null
  readonly journal: JournalStatus
  readonly holds: Holds
}

/**
 * Asks the agent that runs on the state directory, or reads the directory when none does.
 * @throws StateDirectoryError when no agent has ever used it.
 */
export async function readAgentStatus(stateDir: string): Promise<AgentStatus> {
  await stat(stateDir).catch((error: unknown) => {
    throw new StateDirectoryError(`no agent has used ${stateDir}: ${(error as Error).message}`, { cause: error })
  })
  try {
    const reply = await askAgent(stateDir, { ask: 'status' })
    // The agent answers with what this same function's type says.
    if (reply?.answer !== undefined) return reply.answer as AgentStatus
    return await readOffline(stateDir, reply === null ? 'not-running' : 'not-answering')
  } catch (error) {
    if (error instanceof StateDirectoryError) throw error
    return await readOffline(stateDir, 'not-answering')
  }
}

async function readOffline(stateDir: string, agent: AgentStatus['agent']): Promise<AgentStatus> {
  const { state } = await readJournal(stateDir)
  const storage = await StorageState.load(stateDir)
  const connections = [...storage.connections].map(([id, { uri, target, options, generation }]) => ({
    ...holderOf(id),
    uri,
    target,
    options,
    generation,
    status: 'UNKNOWN' as const,
    preexisting: storage.targets.get(target)?.ownership === 'preexisting',
    fault: null,
    faultAt: null,
  }))
  const held = new Set(connections.map(({ target }) => target))
  const { told, untold } = boundedSightings(await unmanagedBeside(stateDir, storage))
  const leaving = [...storage.targets.keys()].filter((target) => !held.has(target))
  return {
    agent,
    ...identityStatus(await readIdentity(stateDir)),
    agentId: state.agentId,
    incarnation: state.incarnation,
    epoch: state.epoch,
    session: null,
    queue: null,
    journal: {
      seq: state.seq,
      floor: state.floor,
      marks: state.marks.size,
      entries: countEntries(state.entries.values()),
    },
    holds: {
      connections,
      leaving: leaving.map((target) => ({
        target,
        status: 'UNKNOWN' as const,
        preexisting: storage.targets.get(target)?.ownership === 'preexisting',
        fault: null,
      })),
      unmanaged: told,
      untold,
      balancers: balancersIn(await BalancingState.load(stateDir)),
      guests: [...(await GuestState.load(stateDir)).guests.keys()],
    },
  }
}

function balancersIn({ balancers, mark }: BalancingState): HeldBalancer[] {
  const views = [...balancers].map(([id, stored]) => {
    return heldBalancer({ id, stored, seen: nothingSeen, withdrawn: mark?.withdrawn.includes(id) ?? false })
  })
  return views.filter((held) => held !== null)
}

/** Without drivers there is only the rough look: what is mounted below the state directory is held, and so is the IQN of an id. */
async function unmanagedBeside(stateDir: string, { connections }: StorageState): Promise<Sighting[]> {
  const targets = [...connections.values()].map(({ target }) => target)
  const isOurs = (seen: KernelConnection): boolean =>
    seen.kind === 'mount'
      ? seen.mountPoint.startsWith(`${stateDir}/`)
      : targets.some((target) => target.startsWith('iscsi:') && target.includes(seen.session.name))
  const held = { how: 'itself', leaving: null } as const
  return unmanagedAmong(await readKernelConnections().catch(() => []), (seen) => (isOurs(seen) ? held : null))
}

export function identityStatus(identity: HostIdentity | null): Pick<AgentStatus, 'name' | 'hostId' | 'certificate'> {
  if (!identity) return { name: null, hostId: null, certificate: null }
  const { serial, notAfter } = validityOf(identity)
  return { name: identity.name, hostId: identity.hostId, certificate: { serial, notAfter: notAfter.toISOString() } }
}

export function countEntries(entries: Iterable<JournalEntry>): JournalStatus['entries'] {
  const counts = { received: 0, started: 0, done: 0 }
  for (const { state } of entries) counts[state] += 1
  return counts
}
