import { Agent, type RequestOptions, request } from 'node:https'

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** `fetch` for a server that shows just this certificate, whatever name it is dialled by. */
export function trusting(certificate: string): typeof fetch {
  const agent = new Agent({ keepAlive: true, ca: certificate, checkServerIdentity: () => undefined })
  return (input, init = {}) =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers, body, signal } = init
      const options: RequestOptions = {
        agent,
        method,
        headers: Object.fromEntries(new Headers(headers)),
        signal: signal ?? undefined,
      }
      const call = request(input instanceof Request ? input.url : input, options, (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('error', reject)
        reply.on('end', () => {
          const { statusCode: status = 0, headersDistinct } = reply
          const told = new Headers()
          for (const [name, values = []] of Object.entries(headersDistinct))
            for (const value of values) told.append(name, value)
          resolve(new Response(WITHOUT_BODY.has(status) ? null : Buffer.concat(chunks), { status, headers: told }))
        })
      })
      call.on('error', reject)
      call.end(typeof body === 'string' ? body : undefined)
    })
}
