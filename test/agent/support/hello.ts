import { randomUUID } from 'node:crypto'
import { commandKinds } from '../../../src/wire/commands.js'
import { type Hello, PROTOCOL } from '../../../src/wire/session.js'

export function hello(overrides: Partial<Hello> = {}): Hello {
  return {
    agentId: randomUUID(),
    bootId: 'boot-1',
    agentVersion: '0.0.0',
    protocol: PROTOCOL.current,
    kinds: Object.keys(commandKinds),
    capabilities: ['storage:local'],
    facts: {
      hostname: 'h1',
      os: 'Test',
      kernel: '6.0',
      arch: 'x86_64',
      cpus: 2,
      cpuModel: 'Test',
      memoryBytes: 1,
      tools: [{ name: 'mount', version: null }],
    },
    incarnation: null,
    epoch: 0,
    seq: 0,
    ...overrides,
  }
}
