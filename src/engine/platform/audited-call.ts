import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Caller } from './caller.js'

/** How a call is answered. */
export interface Outcome {
  readonly status: number
  /** Type of the problem that the reply tells. */
  readonly problem: string | null
}

type Who = Pick<Caller, 'userId' | 'name' | 'tokenId'>

const MAX_SUBJECTS = 16

/** A call that may change something, on its way through the engine: what the audit log will say of it. */
export class AuditedCall {
  /** Null: it did not get as far as a route. */
  operation: string | null = null
  /** Null: nobody has looked yet. */
  who: Who | null = null
  projectId: string | null = null
  /** The row that was committed with its change. */
  written: { readonly id: number; readonly outcome: Outcome } | null = null
  finished = false
  problem: string | null = null
  private readonly named = new Set<string>()
  private promised: Outcome | null = null
  private refusal: Outcome | null = null
  private state: 'acting' | 'looking' | 'repeating' = 'acting'

  constructor(readonly request: FastifyRequest) {}

  /** What is changed, as events name it: `host/<id>`. */
  get subjects(): readonly string[] {
    return [...this.named]
  }

  /** What a change that commits now is to be recorded with; null where it needs no row of this call's. */
  get due(): Outcome | null {
    if (this.state !== 'acting' || this.written || this.finished) return null
    return this.refusal ?? this.promised
  }

  /** It was answered as an earlier call was, which has its row. */
  get isRepeat(): boolean {
    return this.state === 'repeating'
  }

  /** Names a thing that it is about, and the project that it belongs to. Called by whoever knows. */
  about(subject: string, projectId: string | null = null): void {
    if (this.named.size < MAX_SUBJECTS) this.named.add(subject)
    this.projectId ??= projectId
  }

  /** For a login: who it turned out to be, or says to be. */
  by(who: Who): void {
    this.who = who
  }

  /** It may be carried out, and is answered so if all goes well. */
  promises(status: number): void {
    this.promised = { status, problem: null }
  }

  /** What commits now is its refusal, to be kept. */
  refuses(outcome: Outcome): void {
    this.refusal = outcome
  }

  /** What commits now is no change: it looks whether it was made before. */
  looks(): void {
    this.state = 'looking'
  }

  repeats(): void {
    this.state = 'repeating'
  }

  acts(): void {
    this.state = 'acting'
    this.refusal = null
  }
}

type Auditor = (call: AuditedCall, outcome: Outcome) => void

const mutating: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])
const current = new AsyncLocalStorage<AuditedCall>()
const calls = new WeakMap<object, AuditedCall>()
const auditors = new WeakMap<object, Auditor>()

/** The call that the work in hand is done for; undefined where it changes nothing, or is nobody's. */
export const currentCall = (): AuditedCall | undefined => current.getStore()

export const auditedCallOf = (request: FastifyRequest): AuditedCall | undefined => calls.get(request.raw)

/** Who is told of each call of this server once its reply is decided. */
export function auditCalls(server: FastifyInstance, auditor: Auditor): void {
  auditors.set(server.server, auditor)
}

/** Goes on with `next` inside the call, where the request is one that may change something. */
export function beginCall(request: FastifyRequest, next: () => void): void {
  if (mutating.has(request.method)) {
    const call = new AuditedCall(request)
    calls.set(request.raw, call)
    current.run(call, next)
  } else next()
}

export function finishCall(request: FastifyRequest, status: number): void {
  const call = auditedCallOf(request)
  if (!call || call.finished) return
  call.finished = true
  auditors.get(request.server.server)?.(call, { status, problem: call.problem })
}
