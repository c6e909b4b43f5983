/** A body with headers of its own; `ReplyInterceptor` takes it apart. */
export class Reply<T> {
  constructor(
    readonly body: T,
    readonly headers: Readonly<Record<string, string | string[]>>,
  ) {}
}

export const commandPath = (commandId: string): string => `/api/v1/commands/${commandId}`

/** For a 202: `Location` is the command that a host has to carry out. */
export function accepted<T extends { readonly commandId: string | null }>(view: T): Reply<T> {
  return new Reply(view, view.commandId ? { location: commandPath(view.commandId) } : {})
}

/** For a 201: `Location` is the new thing. */
export const created = <T>(view: T, path: string): Reply<T> => new Reply(view, { location: path })

/** For a 302, with the cookies that it sets. */
export const redirect = (location: string, cookies: string[]): Reply<undefined> =>
  new Reply(undefined, { location, 'set-cookie': cookies })
