import { execFileSync } from 'node:child_process'
import { request } from 'node:http'
import { join } from 'node:path'
import { readCall } from '../../../src/agent/xmlrpc/read-call.js'
import type { XmlRpcValue } from '../../../src/agent/xmlrpc/value.js'
import { writeReply } from '../../../src/agent/xmlrpc/write-reply.js'

export interface VerbReply {
  readonly status: { readonly code: number; readonly message: string; readonly type?: string }
  readonly connections?: Readonly<Record<string, ListedConnection>>
}

export interface ListedConnection {
  readonly connectionInfo: Readonly<Record<string, unknown>>
  readonly connected: boolean
  readonly managed: boolean
  readonly origin?: string
  readonly status: string
  readonly lastError?: { readonly code: number; readonly type: string; readonly message: string; readonly at?: Date }
}

export const verbsSocket = (stateDir: string): string => join(stateDir, 'verbs.sock')

/** One call of a local verb. @throws Error where the connection breaks, or with a fault */
export async function verb(stateDir: string, method: string, ...params: XmlRpcValue[]): Promise<VerbReply> {
  const reply = await postCall(verbsSocket(stateDir), method, params)
  // what a method returns is written as what it takes
  const asCall = reply
    .replace(/(<\/?)methodResponse>/g, '$1methodCall>')
    .replace('<params>', '<methodName>r</methodName><params>')
  if (reply.includes('<fault>')) throw new Error(reply)
  return readCall(Buffer.from(asCall)).params[0] as unknown as VerbReply
}

/** @returns the XML of the reply */
export function postCall(socketPath: string, method: string, params: readonly XmlRpcValue[]): Promise<string> {
  const value = (param: XmlRpcValue) => /<param>.*<\/param>/s.exec(writeReply(param))![0]
  const body = `<methodCall><methodName>${method}</methodName><params>${params.map(value).join('')}</params></methodCall>`
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) }
    const sent = request({ socketPath, path: '/RPC2', method: 'POST', headers, agent: false }, (reply) => {
      let text = ''
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      reply.on('error', reject)
      reply.on('end', () => resolve(text))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Left out loudly where there is no Python; where CI says that it must run, its absence is a failure. */
export const describeWithPython: (name: string, body: () => void) => void = hasPython()
  ? describe
  : (name, body) => {
      if (process.env.CI === 'true') it(`${name} (needs python3)`, () => expect('python3').toBe('missing'))
      else {
        process.stderr.write(`\n*** LEFT OUT, no python3: ${name}\n`)
        // biome-ignore lint/suspicious/noSkippedTests: there is nothing to run it with, and the line above says so
        describe.skip(name, body)
      }
    }

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import xmlrpc.client'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
