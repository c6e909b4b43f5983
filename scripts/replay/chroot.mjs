import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What a build may know of the machine around it: how to reach a registry. */
const passed = /^(https?_proxy|no_proxy|npm_config_registry|NODE_EXTRA_CA_CERTS)$/i
const around = Object.fromEntries(Object.entries(process.env).filter(([name]) => passed.test(name)))

/**
 * The program that runs `command` in `stage.root`, in mount and process namespaces of its own: what is mounted for it
 * goes with it, and so do its children.
 */
function entering({ root, user, env, workdir }, command) {
  const variables = Object.entries({ PATH, HOME: homeOf(root, user), ...around, ...env }).map(
    ([name, value]) => `${name}=${value}`,
  )
  const script = `mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot --userspec="$1" "$0" /usr/bin/env -i -C "$2" "\${@:3}"`
  return [
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    'bash',
    '-c',
    script,
    root,
    accountOf(root, user),
    workdir,
    ...variables,
    ...command,
  ]
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** @throws when it fails */
export function runIn(stage, command) {
  const { status, signal, error } = spawnSync('unshare', entering(stage, command), {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) throw new Error(`${command.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}`)
}

/** Started as `docker run` would: its first process is number 1. */
export function startIn(stage, command) {
  return spawn('unshare', entering(stage, command), { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** The number, outside, of the process that is number 1 inside. */
export function firstProcess(child) {
  const [pid] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')
  return Number(pid)
}

/** As `docker exec`. @returns the exit code */
export function execIn(stage, pid, command) {
  const { root, user, env, workdir } = stage
  const variables = Object.entries({ PATH, ...env }).map(([name, value]) => `${name}=${value}`)
  const inside = [
    'chroot',
    `--userspec=${accountOf(root, user)}`,
    root,
    '/usr/bin/env',
    '-i',
    '-C',
    workdir,
    ...variables,
    ...command,
  ]
  return spawnSync('nsenter', ['--mount', '--pid', '--target', String(pid), ...inside], {
    stdio: ['ignore', 'inherit', 'inherit'],
  }).status
}

function accountOf(root, user) {
  const [name, group] = user.split(':')
  if (/^\d+$/.test(name)) return `${name}:${group ?? name}`
  const entry = entryOf(root, name)
  return `${entry[2]}:${group ?? entry[3]}`
}

const homeOf = (root, user) => (/^\d/.test(user) ? '/' : entryOf(root, user.split(':')[0])[5])

function entryOf(root, name) {
  const line = readFileSync(join(root, 'etc/passwd'), 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`))
  if (!line) throw new Error(`the image has no user ${name}`)
  return line.split(':')
}
