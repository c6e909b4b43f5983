/** The host did not join. `exitCode` after sysexits: 78 where trying again will not help, 69 where it may. */
export class JoinError extends Error {
  constructor(
    readonly exitCode: 69 | 75 | 78,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'JoinError'
  }
}
