/** What is known of a server, by backend and name, that another process may go on with. */
export interface ServerState {
  readonly address: string
  readonly port: number
  readonly state: OperatingState
}

/** HAProxy's own numbers (management guide, `show servers state`); 3 gets no connections until a check has been good. */
export const STOPPED = 0
export const RUNNING = 2
export const UNPROVEN = 3
export type OperatingState = typeof STOPPED | typeof RUNNING | typeof UNPROVEN

const IN_MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
const HEAD =
  '# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port'
const SERVER = /^ {4}server (\S+) ipv[46]@\[?([^\]\s]+?)\]?:(\d+) weight (\d+)(.*?)( disabled)?$/
const CHECK = / check .*?rise (\d+) fall (\d+)/

/** Of what answers `show servers state`. What is in maintenance is as good as unknown. */
export function parseServerStates(text: string): Map<string, ServerState> {
  const states = new Map<string, ServerState>()
  for (const line of text.split('\n')) {
    const fields = line.split(' ')
    if (fields.length < 19 || line.startsWith('#')) continue
    const [, backend, , server, address = '', operating, admin] = fields
    if ((Number(admin) & IN_MAINTENANCE) !== 0) continue
    states.set(`${backend}/${server}`, { address, port: Number(fields[18]), state: stateOf(Number(operating)) })
  }
  return states
}

/** Starting is running: HAProxy gives it connections, if fewer. */
const stateOf = (operating: number): OperatingState =>
  operating === STOPPED || operating === UNPROVEN ? operating : RUNNING

/**
 * The file with which a process starts: servers go on as they were, and one that nobody has seen good is used from its first
 * good check on. (One that is to be down after a single bad check cannot be said to be stopping: it starts as down.)
 */
export function renderServerStates(config: string, known: ReadonlyMap<string, ServerState>): string {
  const byPool = new Map([...known].map(([at, state]) => [anyListener(at), state]))
  const lines: string[] = []
  let backend = ''
  for (const line of config.split('\n')) {
    if (line.startsWith('backend ')) backend = line.slice('backend '.length)
    const [, name, address, port, weight, rest = '', disabled] = SERVER.exec(line) ?? []
    const [, rise, fall] = CHECK.exec(rest) ?? []
    if (name === undefined || rise === undefined || disabled !== undefined) continue
    const at = `${backend}/${name}`
    const seen = known.get(at) ?? byPool.get(anyListener(at))
    const same = seen !== undefined && seen.address === address && seen.port === Number(port)
    const state = same ? seen.state : UNPROVEN
    const health = state === RUNNING ? Number(rise) + Number(fall) - 1 : state === UNPROVEN ? Number(rise) : 0
    lines.push(
      `0 ${backend} 0 ${name} ${address} ${state} 0 ${weight} ${weight} 0 1 0 ${health} 6 0 0 0 - ${port} - 0 0 - - 0`,
    )
  }
  return ['1', HEAD, ...lines, ''].join('\n')
}

/** A pool that another listener leads to is the same pool. */
const anyListener = (at: string): string => at.replace(/:[^/]*/, '')
