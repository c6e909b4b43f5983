/** A message under a session that is not, or no longer, this connection's. */
export class Fenced extends Error {
  constructor() {
    super('no such session: a newer one was opened, or none')
  }
}
