import type { TestEngine } from '../../support/engine.js'
import { eventually } from '../../support/eventually.js'
import type { Body } from '../../support/http.js'

/** Waits until all that was written has its place. */
export async function chained(engine: TestEngine): Promise<void> {
  await eventually(async () => {
    const { body } = await engine.http.get('/api/v1/audit/head')
    expect(body.unchained).toBe(0)
  })
}

/** The rows of one request, oldest first, once there are so many. */
export async function rowsOf(engine: TestEngine, requestId: string, count = 1): Promise<Body[]> {
  return eventually(async () => {
    const { body } = await engine.http.get(`/api/v1/audit?sort=seq&requestId=${requestId}`)
    expect(body.items).toHaveLength(count)
    return body.items
  })
}

export const headOf = async (engine: TestEngine): Promise<string> => {
  await chained(engine)
  return (await engine.http.get('/api/v1/audit/head')).body.head
}

/** Walks the whole chain, in steps of `limit`. */
export async function verified(
  engine: TestEngine,
  { head, limit }: { head?: string; limit?: number } = {},
): Promise<Body> {
  let next: string | null = null
  let checked = 0
  for (;;) {
    const query: URLSearchParams = new URLSearchParams({
      ...(head ? { head } : {}),
      ...(limit ? { limit: String(limit) } : {}),
      ...(next ? { from: next } : {}),
    })
    const { body }: { body: Body } = await engine.http.get(`/api/v1/audit/verify?${query}`)
    checked += body.checked
    next = body.next
    if (next === null) return { ...body, checked }
  }
}
