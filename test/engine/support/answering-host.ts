import type { TestEngine } from '../../support/engine.js'
import type { WireAgent } from '../../support/wire-agent.js'
import { balancingAgent } from './balancing.js'

const LOOK_MS = 5
const BEAT_MS = 1_000

/** A host that does at once whatever it is asked, unless it is held. */
export interface AnsweringHost {
  readonly agent: WireAgent
  /** From now on nothing is answered. */
  hold(): void
  /** What was held is answered, and what comes. */
  release(): void
  stop(): void
}

export async function answeringHost(engine: TestEngine, name: string, providers: string[]): Promise<AnsweringHost> {
  const agent = await balancingAgent(engine, name, {
    capabilities: providers.map((provider) => `balancing:${provider}`),
  })
  let answered = 0
  let isHeld = false
  const look = setInterval(() => {
    while (!isHeld && answered < agent.commands.length) {
      const command = agent.commands[answered++]
      // the engine may be gone by then
      if (command) void agent.report(command).catch(() => undefined)
    }
  }, LOOK_MS)
  const beat = setInterval(() => void agent.beat().catch(() => undefined), BEAT_MS)
  return {
    agent,
    hold: () => {
      isHeld = true
    },
    release: () => {
      isHeld = false
    },
    stop: () => {
      clearInterval(look)
      clearInterval(beat)
      agent.vanish()
    },
  }
}
