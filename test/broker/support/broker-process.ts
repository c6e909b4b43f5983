import { mkdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { readCall } from '../../../src/agent/xmlrpc/read-call.js'
import type { XmlRpcValue } from '../../../src/agent/xmlrpc/value.js'
import { writeReply } from '../../../src/agent/xmlrpc/write-reply.js'
import { temporaryDirectory, whenTestEnds } from '../../agent/support/temporary.js'
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
    const value = (param: XmlRpcValue) => /<param>.*<\/param>/s.exec(writeReply(param))![0]
    const body = `<methodCall><methodName>${method}</methodName><params>${params.map(value).join('')}</params></methodCall>`
    const reply = await this.post(body)
    const inner = /<fault>(.*)<\/fault>/s.exec(reply)?.[1]
    const params_ =
      inner === undefined ? /<params>.*<\/params>/s.exec(reply)![0] : `<params><param>${inner}</param></params>`
    const [result] = readCall(Buffer.from(`<methodCall><methodName>r</methodName>${params_}</methodCall>`)).params
    if (inner === undefined) return result!
    const { faultCode, faultString } = result as unknown as { faultCode: number; faultString: string }
    throw new Fault(faultCode, faultString)
  }

  private post(body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) }
      const sent = request(
        { socketPath: this.socket, path: '/RPC2', method: 'POST', headers, agent: false },
        (reply) => {
          let text = ''
          reply.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk
          })
          reply.on('error', reject)
          reply.on('end', () => resolve(text))
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  }
}
