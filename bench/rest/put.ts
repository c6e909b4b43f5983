import { type Agent, request } from 'node:http'

export interface Put {
  readonly agent: Agent
  readonly port: number
  readonly token: string
  readonly hostId: string
  readonly connectionId: string
  /** Left out: a directory of its own. */
  readonly uri?: string
}

/** Asks for a storage connection. @returns the status, when the whole reply was read */
export function put({
  agent,
  port,
  token,
  hostId,
  connectionId,
  uri = `local:///srv/${connectionId}`,
}: Put): Promise<number> {
  const body = JSON.stringify({ uri })
  return new Promise((resolve, reject) => {
    const path = `/api/v1/hosts/${hostId}/storage-connections/${connectionId}`
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    }
    const asked = request({ agent, host: '127.0.0.1', port, method: 'PUT', path, headers }, (reply) => {
      reply.resume()
      reply.on('end', () => resolve(reply.statusCode ?? 0))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}
