/**
 * How a test acts inside the guest: it connects, says in one line of JSON what is to be run, and is answered by one line.
 * Nothing here touches a file, so a mount that hangs does not stop it. A caller that goes away ends what it has started.
 */
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

const PORT = 7001
const MAX_OUTPUT_CHARS = 8 * 1024 * 1024

createServer((socket) => {
  let line = ''
  socket.setEncoding('utf8')
  socket.on('error', () => undefined)
  socket.on('data', (text) => {
    line += text
    if (!line.endsWith('\n')) return
    const request = JSON.parse(line)
    line = ''
    if (request.background) start(request, socket)
    else run(request, socket)
  })
}).listen(PORT, '0.0.0.0')

function run({ argv, input = '', timeoutMs }, socket) {
  const child = spawn(argv[0], argv.slice(1), { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      if (said[name].length < MAX_OUTPUT_CHARS) said[name] += text
    })
  }
  const killGroup = () => {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // it has ended
    }
  }
  // what hangs in the kernel is not ended by this: the answer comes all the same
  const timer = setTimeout(() => {
    killGroup()
    answer({ code: null, signal: 'SIGKILL', timedOut: true })
  }, timeoutMs)
  const answer = (outcome) => {
    clearTimeout(timer)
    socket.off('close', killGroup)
    socket.end(`${JSON.stringify({ ...said, timedOut: false, ...outcome })}\n`)
  }
  socket.once('close', killGroup)
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  child.once('error', (error) => answer({ code: 127, signal: null, stderr: error.message }))
  child.once('close', (code, signal) => answer({ code, signal }))
}

/** For what goes on after the answer. */
function start({ argv }, socket) {
  const child = spawn(argv[0], argv.slice(1), { detached: true, stdio: 'ignore' })
  child.once('error', (error) => socket.end(`${JSON.stringify({ error: error.message })}\n`))
  child.once('spawn', () => socket.end(`${JSON.stringify({ pid: child.pid })}\n`))
}
