import { FaultError } from '../agent/fault.js'
import type { Handler, HandlerContext, Handlers } from '../agent/handlers.js'
import { type CommandKind, commandKinds } from '../wire/commands.js'
import type { HostFaults } from './host-faults.js'

export interface HandlerWatch {
  /** Resolves at once, unless the process is stopped. */
  readonly running: () => Promise<void>
  readonly acting: (kind: CommandKind, context: HandlerContext) => void
}

/** The handlers as the scenario lets them work. */
export function unreliableHandlers(handlers: Handlers, faults: HostFaults, watch: HandlerWatch): Handlers {
  const kinds = Object.keys(commandKinds) as CommandKind[]
  // each kind keeps its own handler
  return Object.fromEntries(
    kinds.map((kind) => [kind, unreliable(kind, handlers[kind] as Handler<CommandKind>, faults, watch)]),
  ) as unknown as Handlers
}

function unreliable<K extends CommandKind>(
  kind: K,
  handler: Handler<K>,
  faults: HostFaults,
  watch: HandlerWatch,
): Handler<K> {
  return async (payload, context) => {
    watch.acting(kind, context)
    await watch.running()
    const slow = faults.strike('slow', kind)
    if (slow !== null) await delay(slow.delayMs + faults.random() * slow.spreadMs, slow.deaf ? null : context.signal)
    const refused = faults.strike('refuse', kind)
    if (refused !== null) throw new FaultError(refused.type, refused.message, refused.number ?? undefined)
    const result = await handler(payload, context)
    await watch.running()
    return result
  }
}

async function delay(delayMs: number, signal: AbortSignal | null): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(new FaultError('aborted', 'not waited for any longer'))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, delayMs)
    timer.unref()
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}
