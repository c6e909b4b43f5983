import { createServer } from 'node:net'

/** The system may offer a port again before whoever asked for it listens. */
const given = new Set<number>()

/** A port of the loopback that nobody listens on at the moment, and another one each time. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await offeredPort()
    if (given.has(port)) continue
    given.add(port)
    return port
  }
}

function offeredPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
