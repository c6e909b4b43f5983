/** An argument of a storage connection that cannot be right: which field, and why. It never holds a credential's value. */
export class BadArgument extends Error {
  /** @param field `uri`, `options.<name>` or `credentials.<name>` */
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message)
    this.name = 'BadArgument'
  }
}

export const badUri = (message: string) => new BadArgument('uri', message)
