import { createServer } from 'node:net'
import { exitCodes, Refusal } from './options.mjs'

/** @throws Refusal that names the option to change */
export async function requireFree({ option, host, port, text }) {
  const error = await tryListen(host, port)
  if (!error) return
  const exitCode = error.code === 'EADDRINUSE' ? exitCodes.temporary : exitCodes.usage
  const fact = error.code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${error.code})`
  throw new Refusal(exitCode, `${text} ${fact}: choose another address with ${option} HOST:PORT`)
}

function tryListen(host, port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', resolve)
    server.listen({ host, port }, () => server.close(() => resolve(null)))
  })
}

const everywhere = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** As somebody on this machine writes it, in a URL as well. */
export function dialled({ host, port }) {
  const name = everywhere[host] ?? host
  return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`
}

/** As the engine sees it (`src/wire/loopback.ts`). */
export const isLoopback = (host) => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
