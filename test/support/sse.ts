/** One message of a stream of server-sent events. */
export interface SseMessage {
  readonly id: string
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look at whatever an event carries
  readonly data: any
}

export interface SseOptions {
  readonly token?: string
  readonly lastEventId?: string
}

/** A reader of the live stream, which keeps what it was sent. */
export class SseReader {
  readonly messages: SseMessage[] = []
  /** What a browser would resume with: also ids that came with no message. */
  place: string | undefined
  closed = false
  private readonly ending = new AbortController()

  private constructor(readonly response: Response) {}

  static async open(url: string, { token, lastEventId }: SseOptions = {}): Promise<SseReader> {
    const ending = new AbortController()
    const response = await fetch(url, {
      signal: ending.signal,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(lastEventId ? { 'last-event-id': lastEventId } : {}),
      },
    })
    const reader = new SseReader(response)
    reader.place = lastEventId
    reader.ending.signal.addEventListener('abort', () => ending.abort())
    if (response.ok) void reader.pump()
    return reader
  }

  get lastId(): string | undefined {
    return this.messages.at(-1)?.id
  }

  close(): void {
    this.ending.abort()
  }

  private async pump(): Promise<void> {
    let text = ''
    const decoder = new TextDecoder()
    try {
      for await (const chunk of this.response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        const parts = text.split('\n\n')
        text = parts.pop() ?? ''
        for (const part of parts) this.take(part)
      }
    } catch {
      // closed by us, or by the engine: its reader resumes
    }
    this.closed = true
  }

  private take(part: string): void {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1]
    const data = field('data')
    this.place = field('id') ?? this.place
    if (data !== undefined)
      this.messages.push({ id: field('id') ?? '', event: field('event') ?? '', data: JSON.parse(data) })
  }
}
