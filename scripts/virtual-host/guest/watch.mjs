/**
 * How often the kernel had something at once: looks at its lists again and again until the file appears, then prints the
 * least, the most, and how often it looked. Never touches what is mounted. The text that counts is its input, not in its argv:
 * `watch.mjs mounts|sessions|arguments STOP-FILE`
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const SESSIONS = '/sys/class/iscsi_session'
const INTERVAL_MS = 25

const [kind, stopFile] = process.argv.slice(2)
const text = readFileSync(0, 'utf8')
const counts = {
  mounts: () =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(text)).length,
  arguments: () => readdirSync('/proc').filter((name) => /^\d+$/.test(name) && argumentsOf(name).includes(text)).length,
  sessions: () => (existsSync(SESSIONS) ? readdirSync(SESSIONS).filter((name) => targetOf(name) === text).length : 0),
}

function targetOf(session) {
  try {
    return readFileSync(`${SESSIONS}/${session}/targetname`, 'utf8').trim()
  } catch {
    // it has gone meanwhile
    return null
  }
}

function argumentsOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

const seen = { least: Number.POSITIVE_INFINITY, most: 0, looks: 0 }
while (!existsSync(stopFile)) {
  const count = counts[kind]()
  seen.least = Math.min(seen.least, count)
  seen.most = Math.max(seen.most, count)
  seen.looks += 1
  await pause(INTERVAL_MS)
}
console.log(JSON.stringify(seen))
