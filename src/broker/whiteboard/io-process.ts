import type { IoAnswer, IoAsk } from './io-messages.js'
import { WhiteboardFile } from './whiteboard-file.js'

/**
 * A process of its own that alone touches the whiteboard: storage that hangs holds it up, and nobody else; whoever started
 * it may kill it at any moment. Started by `io.ts`, with the path of the whiteboard.
 */
const path = process.argv[2] ?? ''
let file: WhiteboardFile | null = null

function carryOut(asked: IoAsk): IoAnswer {
  file ??= WhiteboardFile.open(path)
  if (asked.ask === 'read') return { changed: file.changes() }
  file.write(asked.blocks)
  return { written: true }
}

process.on('message', (asked: IoAsk) => {
  let answer: IoAnswer
  try {
    answer = carryOut(asked)
  } catch (error) {
    answer = { failed: error instanceof Error ? error.message : String(error) }
  }
  process.send?.(answer, () => {
    // a file that failed may be another by now: storage that came back is mounted anew
    if ('failed' in answer) process.disconnect()
  })
})
process.on('disconnect', () => process.exit(0))
