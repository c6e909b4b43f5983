import { badArguments } from './faults.js'

/** What `options` of a connection may hold, and the values each takes; a flag is given as `''` or `'true'`. */
const known: Readonly<Record<string, RegExp>> = {
  ro: flag(),
  noatime: flag(),
  nodiratime: flag(),
  relatime: flag(),
  nosuid: flag(),
  nodev: flag(),
  noexec: flag(),
  sync: flag(),
  dirsync: flag(),
  discard: flag(),
  nodiscard: flag(),
  norecovery: flag(),
  commit: /^[1-9]\d{0,3}$/,
  errors: /^(continue|remount-ro)$/,
  uid: /^\d{1,9}$/,
  gid: /^\d{1,9}$/,
  umask: /^0?[0-7]{3}$/,
}

/** Nothing on a storage connection gives anybody rights on the host. */
const always = ['nosuid', 'nodev'] as const

/** @returns what goes behind `mount -o`, sorted. @throws FaultError `bad-arguments` naming the option. */
export function mountOptions(options: Readonly<Record<string, string>>): string[] {
  const words = Object.entries(options).map(([name, value]) => {
    const values = Object.hasOwn(known, name) ? known[name] : undefined
    if (values === undefined) throw badArguments(`mount option ${name} is not known: ${Object.keys(known).join(', ')}`)
    if (typeof value !== 'string' || !values.test(value)) {
      throw badArguments(`mount option ${name} does not take the value ${JSON.stringify(value)}`)
    }
    return value === '' || value === 'true' ? name : `${name}=${value}`
  })
  return [...new Set([...words, ...always])].sort()
}

function flag(): RegExp {
  return /^(true)?$/
}
