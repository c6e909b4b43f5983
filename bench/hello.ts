import { type Hello, PROTOCOL } from '../src/wire/session.js'

/** What an agent would say that is none: a bench measures what follows. */
export function benchHello(number: number, kinds: readonly string[] = []): Hello {
  return {
    agentId: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    bootId: 'bench',
    agentVersion: '0',
    protocol: PROTOCOL.current,
    kinds: [...kinds],
    capabilities: ['storage:local'],
    facts: {
      hostname: 'bench',
      os: 'none',
      kernel: 'none',
      arch: 'none',
      cpus: 1,
      cpuModel: 'none',
      memoryBytes: 0,
      tools: [],
    },
    incarnation: null,
    epoch: 0,
    seq: 0,
  }
}
