/** The state directory cannot be used as it is; the program ends with this exit code (EX_CANTCREAT). */
export class StateDirectoryError extends Error {
  readonly exitCode = 73

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StateDirectoryError'
  }
}
