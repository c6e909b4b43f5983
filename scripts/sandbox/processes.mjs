import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 25

/** Whether the process lives and is the one that is meant: a number may have gone to another one meanwhile. */
export function isProcess(pid, ...words) {
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ')
    return words.every((word) => commandLine.includes(word))
  } catch {
    return false
  }
}

/** The running ones of a program whose command line has `word` in it. */
export function processesOf(program, word) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isProcess(pid, program, word) && !hasEnded(pid))
}

export function variableOf(pid, name) {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return variables.find((variable) => variable.startsWith(`${name}=`))?.slice(name.length + 1)
  } catch {
    return undefined
  }
}

/** Gone, or only waiting to be reaped. */
export function hasEnded(pid) {
  try {
    return / [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, ''))
  } catch {
    return true
  }
}

/** Asks with each signal in turn, the next one when the time of the one before is up. */
export async function endProcess(pid, steps) {
  for (const { signal, timeoutMs } of steps) {
    try {
      process.kill(pid, signal)
    } catch {
      return
    }
    for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += POLL_MS) {
      if (hasEnded(pid)) return
      await pause(POLL_MS)
    }
  }
}
