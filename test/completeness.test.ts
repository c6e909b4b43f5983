import { readdirSync, readFileSync } from 'node:fs'
import { createHandlers, type Keepers } from '../src/agent/handlers.js'
import { exitCodes } from '../src/config/exit.js'
import { type CommandState, commandStates, transitions } from '../src/engine/commands/commands.states.js'
import { eventTypes } from '../src/engine/events/event-types.js'
import { type HostStatus, hostStatuses, hostTransitions } from '../src/engine/hosts/hosts.states.js'
import { claimableFrom, isPending, provisioningStatuses, settledTo } from '../src/engine/platform/provisioning.js'
import { listSettingKeys, settingKeys } from '../src/engine/platform/setting-keys.js'
import { type CommandKind, commandKinds } from '../src/wire/commands.js'
import { parseWire } from '../src/wire/validate.js'
import { type SourceFile, sourcesBelow } from './support/sources.js'

const sources = sourcesBelow('src')
const kinds = Object.keys(commandKinds) as CommandKind[]
const golden = (kind: string) =>
  JSON.parse(readFileSync(`test/golden/wire/${kind}.json`, 'utf8')) as { payload: object; result: object }

/** Files, beside the one that declares it, in which the text stands between quotes. */
const naming = (text: string, declaredIn: string): SourceFile[] =>
  sources.filter((file) => file.path !== declaredIn && file.text.includes(`'${text}'`))

describe('every command kind', () => {
  it('has a handler on the agent, and no handler is for anything else', () => {
    // the handlers are only named, never called
    const handlers = createHandlers({} as Keepers)
    expect(Object.keys(handlers).sort()).toEqual([...kinds].sort())
  })

  it.each(kinds)('%s has one settler', (kind) => {
    const registered = sources.filter(({ text }) => text.includes(`.register('${kind}'`))
    expect(registered.map(({ path }) => path)).toHaveLength(1)
  })

  it.each(kinds)('%s has a golden message that both sides accept as it is', (kind) => {
    const { payload, result } = golden(kind)
    expect({ ...parseWire<object>(commandKinds[kind].payload, payload) }).toEqual(payload)
    expect({ ...parseWire<object>(commandKinds[kind].result, result) }).toEqual(result)
  })

  it('is the only thing that has a golden message', () => {
    const files = readdirSync('test/golden/wire').map((name) => name.replace(/\.json$/, ''))
    expect(files.sort()).toEqual([...kinds].sort())
  })

  it('is called by an imperative in its area', () => {
    expect(kinds.filter((kind) => !/^[a-z]+\.[a-z][A-Za-z]*$/.test(kind))).toEqual([])
  })
})

describe('every status has a way out', () => {
  const resting = provisioningStatuses.filter((status) => !isPending(status))
  const pending = provisioningStatuses.filter(isPending)

  it.each(pending)('%s ends well or badly, and can be deleted meanwhile', (status) => {
    expect(resting).toContain(settledTo[status].success)
    expect(resting).toContain(settledTo[status].failure)
    expect(claimableFrom.PENDING_DELETE).toContain(status)
  })

  it.each(resting.filter((status) => status !== 'DELETED'))('%s can be changed and deleted', (status) => {
    expect(claimableFrom.PENDING_UPDATE).toContain(status)
    expect(claimableFrom.PENDING_DELETE).toContain(status)
  })

  it.each(hostStatuses)('a host gets to %s and away from it', (status) => {
    const ways = Object.entries(hostTransitions).flatMap(([from, to]) => Object.values(to).map((next) => [from, next]))
    expect(ways.some(([from, next]) => next === status && from !== status)).toBe(true)
    expect(ways.some(([from, next]) => from === status && next !== status)).toBe(true)
  })

  it('a host can get from each state to each other', () => {
    const reach = (from: HostStatus) => closure(from, (status) => Object.values(hostTransitions[status]))
    expect(hostStatuses.filter((status) => reach(status).size < hostStatuses.length)).toEqual([])
  })

  it('a command gets from queued to everywhere, and from everywhere to an end', () => {
    const ends = new Set<CommandState>(['succeeded', 'failed', 'expired', 'superseded'])
    const reach = (from: CommandState) => closure(from, (state) => transitions[state])
    expect([...reach('queued')].sort()).toEqual([...commandStates].sort())
    expect(commandStates.filter((state) => ![...reach(state)].some((end) => ends.has(end)))).toEqual([])
  })
})

describe('what an operator meets is written down', () => {
  const reference = readFileSync('docs/reference.md', 'utf8')
  const operations = readFileSync('docs/operations.md', 'utf8')

  it.each(Object.keys(eventTypes))(
    'event %s is named by area, noun and what happened, and is written by somebody',
    (type) => {
      expect(type).toMatch(/^[a-z]+(\.[a-z]+){2}$/)
      expect(naming(type, 'src/engine/events/event-types.ts')).not.toEqual([])
      expect(reference).toContain(`\`${type}\``)
    },
  )

  it.each(Object.keys({ ...settingKeys, ...listSettingKeys }))('setting %s is obeyed by somebody', (key) => {
    expect(naming(key, 'src/engine/platform/setting-keys.ts')).not.toEqual([])
    expect(reference).toContain(`\`${key}\``)
  })

  it.each(kinds)('command %s', (kind) => {
    expect(reference).toContain(`\`${kind}\``)
  })

  it.each(Object.entries(exitCodes))('exit code %s', (name, code) => {
    expect(reference).toMatch(new RegExp(`\\| ${code} \\| ${name} \\|`))
  })

  it('each metric has its line in the operator’s guide', () => {
    const names = sources.flatMap(({ text }) =>
      [...text.matchAll(/name: '(keelson_\w+)',\n/g)].map(([, name]) => name!),
    )
    expect(names.filter((name) => !operations.includes(`\`${name}\``))).toEqual([])
  })
})

/** All that can be reached, the start among it. */
function closure<T>(start: T, next: (from: T) => readonly T[]): Set<T> {
  const found = new Set([start])
  for (const from of found) for (const to of next(from)) found.add(to)
  return found
}
