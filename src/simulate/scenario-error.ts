/** A scenario that cannot be played; the program ends with this exit code (EX_CONFIG). */
export class ScenarioError extends Error {
  readonly exitCode = 78

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ScenarioError'
  }
}
