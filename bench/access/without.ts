import 'reflect-metadata'
import type { FastifyRequest } from 'fastify'
import { Audit } from '../../src/engine/identity/audit.service.js'
import { rememberCaller } from '../../src/engine/platform/access.guard.js'
import { anonymous, type Caller } from '../../src/engine/platform/caller.js'
import { RequestGate } from '../../src/engine/platform/request-gate.js'

/**
 * Loaded before an engine, takes authorization, limits and audit out of it: every caller is an administrator whom nobody
 * asked, and no call leaves a row. There is no such switch in the product.
 */
const administrator: Caller = {
  ...anonymous,
  name: 'anybody',
  plane: 'admin',
  userId: '00000000-0000-4000-8000-000000000000',
}

// what is replaced is private to its class, and so unknown to the types
Object.assign(RequestGate.prototype, {
  admit: async (request: FastifyRequest) => {
    rememberCaller(request, administrator)
  },
})
Object.assign(Audit.prototype, {
  witness: async () => undefined,
  decided: () => undefined,
  beside: async (_subject: string, _projectId: string, make: (draft: null) => Promise<number | null>) => {
    await make(null)
  },
})
