import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { credentialsOf } from '../../src/agent/identity.js'
import type { AgentPort } from './enrolment.js'

/** A TLS connection with the certificate of a host, for bytes that no agent would send. */
export async function secureSocket(port: AgentPort, hostName: string): Promise<TLSSocket> {
  const identity = await port.identityOf(hostName)
  const socket = connect({ ...credentialsOf(identity), host: port.host, port: port.port })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  return socket
}
