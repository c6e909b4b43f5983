/**
 * What domain code throws. Each becomes one problem document on HTTP (`problem.filter.ts`) and one refusal on the
 * transport; a message names the thing and the fact: `host h1 has no agent`.
 */
export abstract class DomainError extends Error {
  /** @param type stable slug of the problem, `urn:keelson:problem:<type>` */
  constructor(
    readonly type: string,
    message: string,
    readonly extra: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = new.target.name
  }
}

/** 404 */
export class NotFound extends DomainError {
  constructor(what: string, extra: Readonly<Record<string, unknown>> = {}) {
    super('not-found', `${what} does not exist`, extra)
  }
}

/** 401: nobody has signed in, or not with what is still good. */
export class Unauthenticated extends DomainError {
  constructor(message: string, type = 'unauthenticated') {
    super(type, message)
  }
}

/** 403: who it is is known, and they may not. */
export class Forbidden extends DomainError {
  constructor(message: string, type = 'forbidden') {
    super(type, message)
  }
}

/** 429 with Retry-After: too many, too soon. */
export class TooMany extends DomainError {
  constructor(
    message: string,
    readonly retryAfterSeconds: number,
    type = 'too-many-requests',
  ) {
    super(type, message)
  }
}

/** 409: the state of the thing does not allow it. `extra` may carry `users` or `allowed`. */
export class Conflict extends DomainError {
  constructor(message: string, type = 'conflict', extra: Readonly<Record<string, unknown>> = {}) {
    super(type, message, extra)
  }
}

export interface FieldFault {
  readonly field: string
  readonly message: string
}

/** 422: the request is understood and cannot be right; each field's fault. */
export class Invalid extends DomainError {
  constructor(
    message: string,
    readonly faults: readonly FieldFault[] = [],
    type = 'invalid',
    extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(type, message, extra)
  }
}

/** 501: right in itself, and what would have to do it cannot. */
export class Unsupported extends DomainError {
  constructor(message: string, extra: Readonly<Record<string, unknown>> = {}) {
    super('not-supported', message, extra)
  }
}

/** 412: somebody changed it since the caller read it. */
export class PreconditionFailed extends DomainError {
  constructor(message: string) {
    super('precondition-failed', message)
  }
}

/** 503 with Retry-After: it will work again by itself. */
export class Unavailable extends DomainError {
  constructor(
    message: string,
    readonly retryAfterSeconds = 2,
    type = 'unavailable',
  ) {
    super(type, message)
  }
}
