import type { BenchEngine } from '../engine.js'
import { call } from '../haproxy/calls.js'
import { until } from '../until.js'

export interface Guest {
  readonly id: string
  readonly provisioningStatus: string
  readonly step: string | null
  readonly fault: { readonly type: string; readonly message: string } | null
}

export const askForGuest = (engine: BenchEngine, more: object): Promise<Guest> =>
  call<Guest>(engine, 'POST', '/guests', { vcpus: 1, memoryMiB: 128, restartPolicy: 'never', ...more })

/** Well or badly. */
export const ended = (engine: BenchEngine, id: string, withinMs = 300_000): Promise<Guest> =>
  until(
    `the end of guest ${id}`,
    async () => {
      const guest = await engine.get<Guest>(`/guests/${id}`)
      return guest.provisioningStatus.startsWith('PENDING') ? null : guest
    },
    { withinMs, everyMs: 20 },
  )

/** @throws with the layer at fault */
export async function active(engine: BenchEngine, id: string): Promise<void> {
  const { provisioningStatus, fault } = await ended(engine, id)
  if (provisioningStatus !== 'ACTIVE') throw new Error(`${fault?.type}: ${fault?.message}`)
}

export async function removed(engine: BenchEngine, ids: readonly string[]): Promise<void> {
  const headers = { authorization: `Bearer ${engine.token}` }
  await Promise.all(ids.map((id) => fetch(`${engine.url}/guests/${id}`, { method: 'DELETE', headers })))
  for (const id of ids) {
    await until(
      `guest ${id} is gone`,
      async () => {
        const reply = await fetch(`${engine.url}/guests/${id}`, { headers })
        await reply.arrayBuffer()
        return reply.status === 404
      },
      { withinMs: 120_000, everyMs: 20 },
    )
  }
}
