import { join } from 'node:path'
import { BenchProcess } from './bench-process.js'
import type { BenchEngine } from './engine.js'
import type { BenchSetting } from './figures.js'

/** The real agent on this machine, as the host `real`. @param more environment beside its own */
export async function startRealAgent(
  setting: BenchSetting,
  engine: BenchEngine,
  directory: string,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const agent = new BenchProcess('src/main.js', {
    args: ['agent'],
    env: {
      KEELSON_AGENT_NAME: 'real',
      KEELSON_ENGINES: engine.tcpAddress,
      KEELSON_JOIN_TOKEN: await engine.joinToken(),
      KEELSON_STATE_DIR: join(directory, 'state'),
      KEELSON_LOG_LEVEL: 'error',
      KEELSON_LOG_FORMAT: 'json',
      ...more,
    },
  })
  setting.afterwards(() => agent.stop())
}
