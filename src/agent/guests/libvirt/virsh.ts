import { FaultError } from '../../fault.js'
import { type Run, type RunResult, wordsOf } from '../../host/run.js'

const CALL_MS = 20_000
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024
const AGENT_SECONDS = 5

export interface CallOptions {
  readonly signal?: AbortSignal
  readonly deadlineMs?: number
}

/** A command of the QEMU guest agent's. */
export interface AgentCommand {
  readonly execute: string
  readonly arguments?: object
}

/** virsh(1): each call a process with a deadline, by argv. @throws VirshError in its words */
export class Virsh {
  constructor(
    private readonly run: Run,
    readonly uri: string,
  ) {}

  /** @returns what it printed */
  async call(args: readonly string[], { signal, deadlineMs = CALL_MS }: CallOptions = {}): Promise<string> {
    const options = { deadlineMs, maxOutputBytes: MAX_OUTPUT_BYTES, ...(signal ? { signal } : {}) }
    const result = await this.run('virsh', ['-q', '-c', this.uri, ...args], options)
    if (result.outcome === 'exited' && result.code === 0) return result.stdout
    throw new VirshError(args[0] ?? '', wordsOfVirsh(result), result.outcome)
  }

  /**
   * Several commands in one process, each in its turn; libvirt sees to the lock of the channel, and to a fresh guest-sync before each.
   * They are told on its input: a message has secrets in it. @returns what each returned
   */
  async agent(domain: string, commands: readonly AgentCommand[], signal: AbortSignal): Promise<unknown[]> {
    const lines = commands.map(
      (command) => `qemu-agent-command --timeout ${AGENT_SECONDS} ${domain} '${quotedJson(command)}'\n`,
    )
    const result = await this.run('virsh', ['-q', '-c', this.uri], {
      deadlineMs: (AGENT_SECONDS + 3) * 1000 * commands.length,
      maxOutputBytes: 2 * MAX_OUTPUT_BYTES,
      signal,
      input: lines.join(''),
    })
    if (result.outcome !== 'exited') throw new VirshError('qemu-agent-command', wordsOfVirsh(result), result.outcome)
    const answers = result.stdout.split('\n').flatMap(answerIn)
    if (answers.length === commands.length) return answers
    const words = result.stderr
      .trim()
      .replace(/\s*\n\s*/g, '; ')
      .replaceAll('error: ', '')
    throw new VirshError('qemu-agent-command', words === '' ? 'the answer was cut off' : words, result.outcome)
  }
}

export class VirshError extends FaultError {
  constructor(
    command: string,
    readonly words: string,
    readonly outcome: RunResult['outcome'],
  ) {
    super('vm-not-started', `virsh ${command}: ${words}`)
  }
}

/** virsh reads `'…'` as a shell would, and has no way to say a `'` in it. */
const quotedJson = (command: AgentCommand): string => JSON.stringify(command).replaceAll("'", '\\u0027')

/** What is typed is printed once more, behind its prompt. */
const answerIn = (line: string): unknown[] =>
  line.startsWith('{"return":') ? [(JSON.parse(line) as { return: unknown }).return] : []

/** The echo of what it was told may be in the output, and is told to nobody. */
const wordsOfVirsh = (result: RunResult): string =>
  wordsOf(result.outcome === 'not-started' ? result : { ...result, stdout: '' }).replaceAll('error: ', '')
