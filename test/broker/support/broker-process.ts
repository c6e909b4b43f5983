import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readCall } from '../../../src/agent/xmlrpc/read-call.js'
import type { XmlRpcValue } from '../../../src/agent/xmlrpc/value.js'
import { temporaryDirectory, whenTestEnds } from '../../agent/support/temporary.js'
import { postCall } from '../../agent/support/xmlrpc.js'
import { keelson, type TestProcess } from '../../support/process.js'

/** A fault, as a caller meets it. */
export class Fault extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

/** `keelson broker` on a whiteboard of its own; stopped, and all that it started, when the test ends. */
export class BrokerProcess {
  private process!: TestProcess

  private constructor(
    readonly directory: string,
    private readonly flags: readonly string[],
  ) {}

  static async start(flags: readonly string[] = ['--host-id', '1']): Promise<BrokerProcess> {
    const directory = await temporaryDirectory()
    await mkdir(join(directory, 'storage'))
    const broker = new BrokerProcess(directory, flags)
    await broker.restart()
    whenTestEnds(() => broker.kill())
    return broker
  }

  get socket(): string {
    return join(this.directory, 'run', 'broker.socket')
  }

  get whiteboard(): string {
    return join(this.directory, 'storage', 'whiteboard')
  }

  get paths(): string[] {
    return ['--socket', this.socket, '--whiteboard', this.whiteboard, '--state-dir', join(this.directory, 'state')]
  }

  async restart(): Promise<void> {
    this.process = keelson(['broker', ...this.paths, ...this.flags])
    await this.process.line(/the broker serves/)
  }

  async kill(): Promise<void> {
    await this.process.kill()
  }

  get pid(): number {
    return this.process.pid
  }

  /** Of the process that touches the whiteboard; null where there is none. */
  async ioPid(): Promise<number | null> {
    const children = await readFile(`/proc/${this.process.pid}/task/${this.process.pid}/children`, 'utf8')
    for (const pid of children.trim().split(/\s+/).filter(Boolean)) {
      const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      if (argv.includes('io-process.js')) return Number(pid)
    }
    return null
  }

  /** @throws Fault */
  async call(method: string, ...params: XmlRpcValue[]): Promise<XmlRpcValue> {
    const reply = await postCall(this.socket, method, params)
    const inner = /<fault>(.*)<\/fault>/s.exec(reply)?.[1]
    const params_ =
      inner === undefined ? /<params>.*<\/params>/s.exec(reply)![0] : `<params><param>${inner}</param></params>`
    const [result] = readCall(Buffer.from(`<methodCall><methodName>r</methodName>${params_}</methodCall>`)).params
    if (inner === undefined) return result!
    const { faultCode, faultString } = result as unknown as { faultCode: number; faultString: string }
    throw new Fault(faultCode, faultString)
  }
}
