/** Questions that the bench asks its processes over Node's IPC channel, and their answers. */
export interface Question {
  readonly id: number
  readonly ask: string
  readonly detail: unknown
}

export interface Answer {
  readonly id: number
  readonly answer?: unknown
  readonly error?: string
}

type Answerers = Readonly<Record<string, (detail: never) => unknown>>

/** The other end of `BenchProcess.ask`: an answer for each name; the process ends with the bench that started it. */
export function answerQuestions(answerers: Answerers, onDisconnect: () => void = () => process.exit(0)): void {
  process.on('message', (question: Question) => {
    void answer(answerers, question).then((said) => process.send?.(said))
  })
  process.on('disconnect', onDisconnect)
}

async function answer(answerers: Answerers, { id, ask, detail }: Question): Promise<Answer> {
  try {
    const answerer = answerers[ask]
    if (!answerer) throw new Error(`nobody answers ${ask}`)
    // each answerer names the type of what it is asked with
    return { id, answer: await answerer(detail as never) }
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
