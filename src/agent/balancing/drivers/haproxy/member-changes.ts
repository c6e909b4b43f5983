/** A line for the runtime API, and what it answers when it did what it was told. */
export interface RuntimeCommand {
  readonly line: string
  readonly expects: RegExp
}

interface ServerLine {
  readonly at: string
  readonly address: string
  readonly weight: string
  readonly rest: string
  readonly disabled: boolean
}

const SERVER = /^ {4}server (\S+) (\S+) weight (\d+)(.*?)( disabled)?$/
const NOTHING = /^$/
const ADDRESS = /^(?:ipv[46]@)\[?([^\]]+?)\]?:(\d+)$/

/**
 * What makes a process that has one configuration have the other, where only members differ. Null: more does, or something
 * of a member that cannot be changed in a process that runs.
 */
export function memberChanges(before: string, after: string): RuntimeCommand[] | null {
  const [old, wanted] = [partsOf(before), partsOf(after)]
  if (old.frame !== wanted.frame) return null
  const commands: RuntimeCommand[] = []
  for (const server of old.servers.values()) {
    if (!wanted.servers.has(server.at)) commands.push(...removal(server))
  }
  for (const server of wanted.servers.values()) {
    const former = old.servers.get(server.at)
    if (former === undefined) commands.push(...addition(server))
    else if (former.rest !== server.rest) return null
    else commands.push(...changes(former, server))
  }
  return commands
}

function partsOf(text: string): { frame: string; servers: Map<string, ServerLine> } {
  const servers = new Map<string, ServerLine>()
  const frame: string[] = []
  let backend = ''
  for (const line of text.split('\n')) {
    const [, name, address, weight, rest, disabled] = SERVER.exec(line) ?? []
    if (line.startsWith('backend ')) backend = line.slice('backend '.length)
    if (name === undefined) frame.push(line)
    else {
      const at = `${backend}/${name}`
      servers.set(at, { at, address: address!, weight: weight!, rest: rest!, disabled: disabled !== undefined })
    }
  }
  return { frame: frame.join('\n'), servers }
}

/** Servers by backend and name, as a configuration has them. */
export const serversOf = (config: string): ReadonlySet<string> => new Set(partsOf(config).servers.keys())

/** Its connections may end by themselves: one that still has some stays for a while, and is given none (`leavers.ts`). */
const removal = ({ at }: ServerLine): RuntimeCommand[] => [
  { line: `set server ${at} state maint`, expects: NOTHING },
  { line: `del server ${at}`, expects: /^Server deleted\.$|attached|connections/ },
]

function addition(server: ServerLine): RuntimeCommand[] {
  const { at, address, weight, rest, disabled } = server
  const add = { line: `add server ${at} ${address} weight ${weight}${rest}`, expects: /^New server registered\.$/ }
  return [add, ...(disabled ? [] : bringUp(server))]
}

function changes(former: ServerLine, server: ServerLine): RuntimeCommand[] {
  const { at, address, weight, disabled } = server
  const moved = former.address !== address
  const commands: RuntimeCommand[] = []
  if ((disabled || moved) && !former.disabled) commands.push({ line: `set server ${at} state maint`, expects: NOTHING })
  if (moved) {
    const [, host, port] = ADDRESS.exec(address) ?? []
    commands.push({ line: `set server ${at} addr ${host} port ${port}`, expects: /changed|no need/ })
  }
  if (former.weight !== weight) commands.push({ line: `set server ${at} weight ${weight}`, expects: NOTHING })
  if (!disabled && (former.disabled || moved)) commands.push(...bringUp(server))
  return commands
}

/**
 * Out of maintenance a server counts as good until it has failed. Drained meanwhile, and then `stopping`, which gets no
 * connections and ends with the first good check, it is used from then on.
 */
const bringUp = ({ at, rest }: ServerLine): RuntimeCommand[] =>
  (/ check( |$)/.test(rest)
    ? [
        `set server ${at} state drain`,
        `set server ${at} health stopping`,
        `enable health ${at}`,
        `set server ${at} state ready`,
      ]
    : [`set server ${at} state ready`]
  ).map((line) => ({ line, expects: NOTHING }))
