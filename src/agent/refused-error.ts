/** The engine answered a call with a named refusal. */
export class RefusedError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`)
    this.name = 'RefusedError'
  }
}
