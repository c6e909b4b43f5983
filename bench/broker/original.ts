import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * What the broker is measured against: Python's own XML-RPC server, one call after the other as the original has it, over a
 * whiteboard of the same shape, which it reads and writes past the page cache as well. Port and file are its arguments.
 */
const PROGRAM = `
import mmap, os, sys
from socketserver import TCPServer
from xmlrpc.client import Binary
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

BLOCK, BLOCKS = 4096, 2001
port, path = int(sys.argv[1]), sys.argv[2]
fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT | os.O_SYNC)
os.ftruncate(fd, BLOCK * BLOCKS)
whole, one, nothing = mmap.mmap(-1, BLOCK * BLOCKS), mmap.mmap(-1, BLOCK), bytes(BLOCK)

def put_stats(host_id, data):
    one.seek(0)
    one.write(data.data.ljust(BLOCK, b'\\0'))
    os.pwrite(fd, one, host_id * BLOCK)
    return 'ok'

def get_stats():
    os.preadv(fd, [whole], 0)
    blocks = ((n, whole[n * BLOCK:(n + 1) * BLOCK]) for n in range(BLOCKS))
    return {str(n): Binary(block) for n, block in blocks if block != nothing}

class Handler(SimpleXMLRPCRequestHandler):
    protocol_version = 'HTTP/1.1' if len(sys.argv) > 3 else 'HTTP/1.0'

TCPServer.allow_reuse_address = True
server = SimpleXMLRPCServer(('127.0.0.1', port), requestHandler=Handler, logRequests=False, allow_none=True)
server.register_function(put_stats)
server.register_function(get_stats)
server.serve_forever()
`

/** @returns what ends it */
export function startOriginal(port: number, whiteboard: string): () => Promise<void> {
  const child: ChildProcess = spawn('python3', ['-c', PROGRAM, String(port), whiteboard], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  return async () => {
    process.off('exit', kill)
    kill()
    await ended
  }
}
