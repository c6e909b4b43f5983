import { Browser } from './browser.js'
import type { TestEngine } from './engine.js'

export const PASSWORD = 'correct horse battery staple'

export interface Account {
  readonly id: string
  readonly name: string
}

let made = 0

/** A person or a service, with a role in the whole plane where one is given. */
export async function makeUser(
  engine: TestEngine,
  { kind = 'person', role, name = `${kind}-${++made}` }: { kind?: string; role?: string; name?: string } = {},
): Promise<Account> {
  const { status, body } = await engine.http.post('/api/v1/users', { kind, name })
  if (status !== 201) throw new Error(`no user was made: ${JSON.stringify(body)}`)
  if (role) await engine.query('INSERT INTO role_bindings (user_id, role) VALUES ($1, $2)', [body.id, role])
  return { id: body.id, name }
}

/** A person who has chosen `PASSWORD`, signed in in a browser. */
export async function makePerson(
  engine: TestEngine,
  options: { role?: string; name?: string } = {},
): Promise<Account & { browser: Browser }> {
  const account = await makeUser(engine, options)
  const { body } = await engine.http.post(`/api/v1/users/${account.id}/reset-password`)
  const browser = new Browser(engine.url)
  const signedIn = await browser.signIn(account.name, body.oneTimePassword)
  if (signedIn.status !== 200) throw new Error(`nobody signed in: ${JSON.stringify(signedIn.body)}`)
  const changed = await browser.put('/api/v1/session/password', { current: body.oneTimePassword, next: PASSWORD })
  if (changed.status !== 204) throw new Error(`no password was chosen: ${JSON.stringify(changed.body)}`)
  return { ...account, browser }
}
