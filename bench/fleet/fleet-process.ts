import 'reflect-metadata'
import type { HostIdentity } from '../../src/agent/identity.js'
import type { CertifiedKey } from '../../src/engine/identity/certificates.js'
import { createLogger } from '../../src/log/logger.js'
import { startSimulation } from '../../src/simulate/simulation.js'
import { answerQuestions } from '../questions.js'
import { certify, type Member } from './members.js'

export interface FleetOrder {
  readonly hosts: number
  readonly authority: CertifiedKey
}

const PREFIX = 'sim-'
const CONNECT_PER_SECOND = 500
const settings = { logLevel: 'error', logFormat: 'json' } as const
let identities = new Map<string, HostIdentity>()

answerQuestions({
  cpu: () => process.cpuUsage(),
  /** @returns what the plane must know of them before they dial */
  certify: async ({ hosts, authority }: FleetOrder): Promise<Member[]> => {
    const names = Array.from({ length: hosts }, (_, index) => `${PREFIX}${index + 1}`)
    const made = await certify(authority, names)
    identities = new Map(made.identities.map((identity) => [identity.name, identity]))
    return made.members
  },
  /** `keelson simulate`, with identities that are there already. */
  play: async ({ tcpPort }: { tcpPort: number }): Promise<void> => {
    await startSimulation(
      {
        ...settings,
        hosts: identities.size,
        namePrefix: PREFIX,
        scenario: null,
        seed: null,
        connectPerSecond: CONNECT_PER_SECOND,
        commandLog: null,
        stateDir: null,
        appliances: [],
        engines: [{ host: '127.0.0.1', port: tcpPort }],
        joinToken: null,
        joinTokenFile: null,
      },
      createLogger('simulate', settings),
      {
        of: async (name) => identities.get(name) ?? null,
        renewed: async (identity) => void identities.set(identity.name, identity),
        stop: () => undefined,
      },
    )
  },
})
