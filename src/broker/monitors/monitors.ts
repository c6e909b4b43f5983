import type { Logger } from '../../agent/logger.js'
import { isStruct, type XmlRpcValue } from '../../agent/xmlrpc/value.js'
import { fault } from '../fault-codes.js'
import type { MonitorTools, MonitorType, Options } from './monitor.js'
import type { MonitorsFile } from './monitors-file.js'

const LOOK_EVERY_MS = 10_000
/** A look that takes longer is given up; the next begins when it has ended. */
const LOOK_MS = 30_000
const MAX_OPTION_CHARS = 1024
const UNKNOWN = 'None'

export interface MonitorsOptions {
  readonly types: Readonly<Record<string, MonitorType>>
  readonly tools: MonitorTools
  readonly file: MonitorsFile
  readonly logger: Logger
  readonly everyMs?: number
}

export interface MonitorView {
  readonly type: string
  /** Null while it is unknown, which is never good. */
  readonly value: string | null
  /** Why it is unknown. */
  readonly reason: string | null
  /** Since the last look ended; null before the first. */
  readonly ageMs: number | null
}

interface Running {
  readonly options: Options
  readonly stop: AbortController
  value: string | null
  reason: string | null
  atMs: number | null
}

/** Monitors that were asked for, by type, which is their id: each looks every ten seconds, whatever the others do. */
export class Monitors {
  private readonly running = new Map<string, Running>()

  constructor(private readonly options: MonitorsOptions) {}

  /** Those that ran before a restart. */
  async resume(): Promise<void> {
    for (const [type, options] of await this.options.file.read()) {
      if (this.typeOf(type)) this.begin(type, options)
    }
  }

  /** @returns the id. @throws XmlRpcFault unknownMonitorType, invalidOption */
  async start(type: string, given: XmlRpcValue): Promise<string> {
    const known = this.typeOf(type)
    if (!known)
      throw fault('unknownMonitorType', `there is no monitor ${type}: ${Object.keys(this.options.types).join(', ')}`)
    this.begin(type, optionsOf(type, known, given))
    await this.keep()
    return type
  }

  /** @throws XmlRpcFault unknownMonitor */
  async stop(id: string): Promise<void> {
    this.require(id).stop.abort()
    this.running.delete(id)
    await this.keep()
  }

  /** @throws XmlRpcFault unknownMonitor */
  status(id: string): string {
    return this.require(id).value ?? UNKNOWN
  }

  views(): MonitorView[] {
    const nowMs = performance.now()
    return [...this.running].map(([type, { value, reason, atMs }]) => ({
      type,
      value,
      reason,
      ageMs: atMs === null ? null : nowMs - atMs,
    }))
  }

  close(): void {
    for (const { stop } of this.running.values()) stop.abort()
  }

  private typeOf(type: string): MonitorType | undefined {
    return Object.hasOwn(this.options.types, type) ? this.options.types[type] : undefined
  }

  private require(id: string): Running {
    const found = this.running.get(id)
    if (!found) throw fault('unknownMonitor', `no monitor ${id} runs`)
    return found
  }

  private begin(type: string, options: Options): void {
    this.running.get(type)?.stop.abort()
    const running: Running = { options, stop: new AbortController(), value: null, reason: null, atMs: null }
    this.running.set(type, running)
    void this.look(type, running)
  }

  private async look(type: string, running: Running): Promise<void> {
    const { signal } = running.stop
    const { tools, logger, types, everyMs = LOOK_EVERY_MS } = this.options
    const see = types[type]!.start(running.options, tools)
    while (!signal.aborted) {
      const before = running.value
      try {
        running.value = await see(AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]))
        running.reason = null
      } catch (error) {
        running.value = null
        running.reason = (error as Error).message
      }
      running.atMs = performance.now()
      if (before !== running.value)
        logger.debug({ type, value: running.value, reason: running.reason }, 'a monitor saw a change')
      await pause(everyMs, signal)
    }
  }

  private keep(): Promise<void> {
    return this.options.file.write(() => new Map([...this.running].map(([type, { options }]) => [type, options])))
  }
}

/** What is null is not given: the original's agent names every option. */
function optionsOf(type: string, { options: rules }: MonitorType, given: XmlRpcValue): Options {
  const told = Object.entries(isStruct(given) ? given : {}).filter(([, value]) => value !== null)
  const texts = told.map(([name, value]): [string, string] => {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined
    if (!rule)
      throw fault('invalidOption', `${type} has no option ${name}: ${Object.keys(rules).join(', ') || 'it has none'}`)
    if (typeof value === 'object' || String(value).length > MAX_OPTION_CHARS)
      throw fault('invalidOption', `${type}: ${name} is no short text`)
    if (rule.pattern && !rule.pattern.test(String(value)))
      throw fault('invalidOption', `${type}: ${name} cannot be that`)
    return [name, String(value)]
  })
  const lacking = Object.entries(rules).find(([name, { isRequired }]) => isRequired && !told.some(([n]) => n === name))
  if (lacking) throw fault('invalidOption', `${type}: ${lacking[0]} is missing`)
  return Object.fromEntries(texts)
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
}
