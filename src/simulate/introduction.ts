import { createHash } from 'node:crypto'
import { type BalancingDevice, deviceCapability } from '../agent/balancing/devices.js'
import { agentVersion } from '../agent/version.js'
import { commandKinds } from '../wire/commands.js'
import { hypervisorCapability } from '../wire/guests/terms.js'
import { type Hello, type HostFacts, PROTOCOL } from '../wire/session.js'
import { storageCapabilities } from '../wire/storage/kinds.js'
import type { FaultParameters } from './fault-parameters.js'
import { seededRandom } from './random.js'

const GIB = 1_073_741_824
const sizes = [
  { cpus: 8, memoryBytes: 32 * GIB },
  { cpus: 16, memoryBytes: 64 * GIB },
  { cpus: 32, memoryBytes: 128 * GIB },
  { cpus: 64, memoryBytes: 512 * GIB },
] as const

const version = agentVersion()
const kinds = Object.keys(commandKinds)
const tools = [
  { name: 'mount', version: '2.38.1' },
  { name: 'umount', version: '2.38.1' },
  { name: 'find', version: '4.9.0' },
]

/** The same for the same name, in every simulation: a host that comes back is the host that went. */
export const agentIdOf = (hostName: string): string => uuidOf(`keelson simulated agent ${hostName}`)

export const bootIdOf = (hostName: string, boot: number): string =>
  uuidOf(`keelson simulated boot ${boot} of ${hostName}`)

export interface IntroductionOptions {
  readonly name: string
  readonly bootId: string
  /** Where the agent is an older one. */
  readonly old: FaultParameters['old-protocol'] | null
  readonly devices: readonly BalancingDevice[]
}

/** All of a hello that the journal does not hold. */
export function introductionOf(options: IntroductionOptions): Omit<Hello, 'agentId' | 'incarnation' | 'epoch' | 'seq'> {
  const { name, bootId, old, devices } = options
  return {
    bootId,
    agentVersion: version,
    protocol: old?.protocol ?? PROTOCOL.current,
    kinds: [...(old?.kinds ?? kinds)],
    capabilities: [
      ...(old?.capabilities ?? [
        ...storageCapabilities,
        ...devices.map(deviceCapability),
        hypervisorCapability('simulated'),
      ]),
    ],
    facts: factsOf(name),
  }
}

function factsOf(name: string): HostFacts {
  const size = sizes[Math.floor(seededRandom(0, name)() * sizes.length)]!
  const os = 'Simulated Linux'
  return { hostname: name, os, kernel: '6.1.0-simulated', arch: 'x86_64', cpuModel: 'Simulated', ...size, tools }
}

/** A UUID of version 8 (RFC 9562): its bits are our own, here a hash. */
function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}
