import { createServer } from 'node:tls'
import { makeAuthority, makeEngineCertificate, signerOf } from '../../src/engine/identity/certificates.js'
import { answerQuestions } from '../questions.js'

export interface Echo {
  readonly port: number
  /** Whom its certificate is signed by, in PEM. */
  readonly authority: string
}

/** The least that a server on Node can do with a frame over TLS: the limit that the engine's transport is measured against. */
async function listen(): Promise<Echo> {
  const pair = await makeAuthority()
  const { key, certificate: cert } = await makeEngineCertificate(await signerOf(pair), { names: [], lifeMs: 3_600_000 })
  const server = createServer({ key, cert, minVersion: 'TLSv1.3', noDelay: true }, (socket) => {
    socket.on('data', (chunk) => socket.write(chunk))
    socket.on('error', () => {})
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ port: (server.address() as { port: number }).port, authority: pair.certificate })
    })
  })
}

answerQuestions({ listen, cpu: () => process.cpuUsage() })
