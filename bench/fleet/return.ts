import type { Figure } from '../figures.js'
import type { Simulator } from '../simulator.js'
import { median, spreadOf } from '../statistics.js'
import type { Fleet } from './bench.js'

/** From the start of a new engine in the place of one that was killed until every host is Up and has a session. */
export async function measureReturn({ engine, hosts, restarts }: Fleet, playing: Simulator): Promise<Figure[]> {
  const seconds: number[] = []
  const cpuSeconds: number[] = []
  const playingSeconds: number[] = []
  const handshakes = { full: 0, resumed: 0 }
  for (let i = 0; i < restarts; i++) {
    await engine.kill()
    const playingBefore = await playing.cpuMicros()
    const startMs = performance.now()
    engine.restart()
    await playing.connected()
    seconds.push((performance.now() - startMs) / 1_000)
    cpuSeconds.push((await engine.cpuMicros()) / 1_000_000)
    playingSeconds.push(((await playing.cpuMicros()) - playingBefore) / 1_000_000)
    const made = await engine.handshakes()
    handshakes.full += made.full
    handshakes.resumed += made.resumed
  }
  return [
    {
      bench: 'fleet',
      name: `all ${hosts} hosts back after kill -9`,
      value: median(seconds),
      unit: 's',
      spread: spreadOf(seconds),
      bound: { of: 'value', atMost: 40 },
      note: `from the start of the new engine, its own start among it; ${median(cpuSeconds).toFixed(1)} s of engine CPU, ${median(playingSeconds).toFixed(1)} s of the process that plays the hosts; in ${restarts} restarts ${handshakes.resumed} handshakes resumed a session, ${handshakes.full} were full ones`,
    },
  ]
}
