import { createServer } from 'node:net'
import { answerQuestions } from '../questions.js'

/** The least that a server on Node can do with a frame: the limit that the engine's transport is measured against. */
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk))
  socket.on('error', () => {})
})

answerQuestions({
  listen: () =>
    new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    }),
  cpu: () => process.cpuUsage(),
})
