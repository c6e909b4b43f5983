import type { RuntimeCommand } from './member-changes.js'

/** Keys that the runtime API takes as they are. */
const KEY = /^[^\s;\\"'#]+$/

/** Backends that keep clients at their member by a table, each with how it is said. */
export const tablesOf = (config: string): Map<string, string> =>
  new Map(
    config.split('\n\n').flatMap((section) => {
      const name = /^backend (\S+)/.exec(section)?.[1]
      const table = /^ {4}stick-table .*$/m.exec(section)?.[0]
      return name === undefined || table === undefined ? [] : [[name, table] as const]
    }),
  )

/**
 * What makes a new worker keep clients where the old one had them. Both number their servers by themselves, hence the states
 * of both: HAProxy's own way, peers, would need a port for each balancer.
 */
export function carriedOver(tables: string, oldStates: string, newStates: string): RuntimeCommand[] {
  const names = new Map([...numbersOf(oldStates)].map(([at, number]) => [`${at.split('/')[0]}/${number}`, at]))
  const numbers = numbersOf(newStates)
  const commands: RuntimeCommand[] = []
  let table = ''
  for (const line of tables.split('\n')) {
    table = /^\s*# table: ([^,]+),/.exec(line)?.[1] ?? table
    const [, key, id] = / key=(.*) use=.* server_id=(\d+)/.exec(line) ?? []
    const number = numbers.get(names.get(`${table}/${id}`) ?? '')
    if (key === undefined || number === undefined || !KEY.test(key)) continue
    commands.push({ line: `set table ${table} key ${key} data.server_id ${number}`, expects: /^$/ })
  }
  return commands
}

/** HAProxy's number of each server, by backend and name. */
function numbersOf(states: string): Map<string, string> {
  const numbers = new Map<string, string>()
  for (const line of states.split('\n')) {
    const [, backend, number, name] = line.startsWith('#') ? [] : line.split(' ')
    if (name !== undefined) numbers.set(`${backend}/${name}`, number!)
  }
  return numbers
}
