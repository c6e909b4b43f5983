import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

/** Debian's packages: qemu-system-x86, nfs-ganesha-vfs, rpcbind, tgt, debootstrap, e2fsprogs, util-linux. */
const programs = [
  'qemu-system-x86_64',
  'ganesha.nfsd',
  'rpcbind',
  'tgtd',
  'tgtadm',
  'debootstrap',
  'mke2fs',
  'setpriv',
  'unshare',
  'nsenter',
]
const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin']

/**
 * Virtual hosts and servers beside them need root, a PC's processor and Debian's packages. Left out loudly elsewhere;
 * where CI says that it must run, what is missing is a failure.
 */
export function describeWithHosts(name: string, body: () => void): void {
  const missing = whatIsMissing()
  if (missing.length === 0) describe(name, body)
  else if (process.env.CI === 'true') it(`${name} (needs ${missing.join(', ')})`, () => expect(missing).toEqual([]))
  else {
    process.stderr.write(`\n*** LEFT OUT, without ${missing.join(', ')}: ${name}\n`)
    // biome-ignore lint/suspicious/noSkippedTests: there is nothing to run it on, and the line above says so
    describe.skip(name, body)
  }
}

function whatIsMissing(): string[] {
  return [
    ...(process.getuid?.() === 0 ? [] : ['root']),
    ...(process.arch === 'x64' ? [] : ['an x86-64 processor']),
    ...programs.filter((program) => !directories.some((directory) => isProgram(join(directory, program)))),
  ]
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
