import type { Ground } from '../../trial/support/ground.js'
import { Plane } from '../../trial/support/plane.js'
import { RealHost } from '../../trial/support/real-host.js'

/** A plane, and this machine as its host, which looks often at what it is connected to. */
export async function startTriedHost(ground: Ground, { probeMs, patienceMs }: { probeMs: number; patienceMs: number }) {
  const plane = await Plane.start(ground)
  const host = new RealHost(ground, plane, 'here')
  const stop = async () => {
    await host.stop()
    await plane.stop()
  }
  const begin = async (): Promise<string> => {
    await plane.rest.send('PUT', '/api/v1/settings/storage.probeIntervalMs', { value: probeMs })
    host.start()
    return (await plane.hostUp('here')).id
  }
  const hostId = await begin().catch(async (error: unknown) => {
    await stop()
    throw error
  })
  const path = (id: string) => `/api/v1/hosts/${hostId}/storage-connections/${id}`
  const seen = (id: string, wanted: object, timeoutMs = patienceMs) => plane.connection(hostId, id, wanted, timeoutMs)
  const up = (id: string) => seen(id, { provisioningStatus: 'ACTIVE', operatingStatus: 'UP', connected: true })
  return { plane, host, hostId, path, seen, up, stop }
}

export type TriedHost = Awaited<ReturnType<typeof startTriedHost>>
