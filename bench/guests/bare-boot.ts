import { domainName } from '../../src/agent/guests/libvirt/domain-xml.js'
import { run } from '../../src/agent/host/run.js'
import { until } from '../until.js'

const PING = '{"execute":"guest-ping"}'

/** The machine of a guest that is there, stopped and started anew by virsh alone. @returns until its agent has answered, in milliseconds */
export async function bareBoot(uri: string, guestId: string): Promise<number> {
  const domain = domainName(guestId)
  const virsh = async (...args: string[]) => {
    const result = await run('virsh', ['-q', '-c', uri, ...args], { deadlineMs: 30_000 })
    return result.outcome === 'exited' && result.code === 0
  }
  if (!(await virsh('destroy', domain))) throw new Error(`${domain} could not be ended`)
  const startMs = performance.now()
  if (!(await virsh('start', domain))) throw new Error(`${domain} could not be started`)
  await until(`the agent in ${domain} answers`, () => virsh('qemu-agent-command', '--timeout', '5', domain, PING), {
    withinMs: 120_000,
    everyMs: 50,
  })
  return performance.now() - startMs
}
