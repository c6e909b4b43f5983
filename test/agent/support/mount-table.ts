import type { Mount } from '../../../src/agent/host/mounts.js'
import type { Run, RunResult } from '../../../src/agent/host/run.js'
import type { KernelMount } from '../../../src/agent/storage/kernel.js'

export const exited = (code: number, stderr = '', stdout = ''): RunResult => ({
  outcome: 'exited',
  code,
  stdout,
  stderr,
  truncated: false,
})

/** An NFS export, as the agent finds it in the kernel's table. */
export const exportSeen = (device: string, mountPoint: string, uri: string): KernelMount => ({
  kind: 'mount',
  uri,
  device,
  root: '/',
  mountPoint,
  options: ['rw'],
  fsType: 'nfs4',
  source: uri,
  superOptions: ['rw'],
})

/** A host whose mounts are a list, and whose programs do what the test says: mount(8) and umount(8) succeed by themselves. */
export class FakeHost {
  readonly mounts: Mount[] = []
  /** Every program that was run, as one line. */
  readonly calls: string[] = []
  /** What a program answers instead; null: as it would. */
  answers: (program: string, args: readonly string[]) => RunResult | null = () => null

  /** @param fsTypes what the kernel calls what a program mounts */
  constructor(private readonly fsTypes: Readonly<Record<string, string>> = {}) {}

  readonly readMounts = async (): Promise<readonly Mount[]> => this.mounts

  readonly run: Run = async (program, args) => {
    this.calls.push([program, ...args].join(' '))
    const answer = this.answers(program, args)
    if (answer !== null) return answer
    const last = args.at(-1) ?? ''
    if (program === 'umount') this.lose(last)
    else if (program === 'mount' || program in this.fsTypes)
      this.show(last, sourceIn(program, args), this.typeOf(program, args))
    return exited(0)
  }

  show(mountPoint: string, source: string, fsType: string, options = 'rw'): void {
    const words = options.split(',')
    this.mounts.push({ device: '0:1', root: '/', mountPoint, options: words, fsType, source, superOptions: words })
  }

  lose(mountPoint: string): void {
    const at = this.mounts.findLastIndex((mount) => mount.mountPoint === mountPoint)
    if (at >= 0) this.mounts.splice(at, 1)
  }

  private typeOf(program: string, args: readonly string[]): string {
    const type = program === 'mount' ? (args[args.indexOf('-t') + 1] ?? '') : program
    return this.fsTypes[type] ?? type
  }
}

function sourceIn(program: string, args: readonly string[]): string {
  if (program === 'mount') return args.at(-2) ?? ''
  const givenAs = (name: string) => args.find((arg) => arg.startsWith(name))?.slice(name.length) ?? ''
  return `${givenAs('--volfile-server=')}:${givenAs('--volfile-id=')}${givenAs('--subdir-mount=')}`
}
