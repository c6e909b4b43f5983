import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Browser } from '../../support/browser.js'
import { type Body, type HttpClient, type HttpReply, http } from '../../support/http.js'
import { type IssuedCertificate, issueCertificate } from '../../support/issued-certificate.js'
import { CLIENT, TestProvider } from '../../support/oidc.js'
import { guestFields } from './guest-secrets.js'
import { canary, type Planting, type SecretField, secretOf } from './secret-field.js'

interface Live {
  readonly url: string
  readonly tcp: string
  readonly admin: HttpClient
}

interface LiveField {
  readonly name: string
  readonly plant: (at: Live) => Promise<string>
}

/** Each is told, used, and used wrongly, as it would be in a plane's life. */
const fields: readonly LiveField[] = [
  {
    name: 'identityProviders.create.clientSecret',
    plant: async (at) => {
      const secret = canary('client-create')
      const body = { name: 'canary-create', clientSecret: secret }
      await signInThrough(at, body.name, 'another than the plane has', 403, (issuer) =>
        expectStatus(201, at.admin.post('/api/v1/identity-providers', { ...body, issuer, clientId: CLIENT.id })),
      )
      return secret
    },
  },
  {
    name: 'identityProviders.update.clientSecret',
    plant: async (at) => {
      const secret = canary('client-update')
      await signInThrough(at, 'canary-update', secret, 302, async (issuer) => {
        const body = { name: 'canary-update', issuer, clientId: CLIENT.id }
        const made = await expectStatus(201, at.admin.post('/api/v1/identity-providers', body))
        const path = `/api/v1/identity-providers/${made.body.id}`
        await expectStatus(200, at.admin.patch(path, { clientSecret: secret }))
      })
      return secret
    },
  },
  {
    name: 'storageConnections.put.credentials',
    plant: async (at) => {
      const [secret, host] = [canary('connection'), await hostAway(at)]
      const path = `/api/v1/hosts/${host}/storage-connections/canary`
      const body = {
        uri: 'iscsi://192.0.2.1/iqn.2026-01.org.example:a?chapUser=u',
        credentials: { chapPassword: secret },
      }
      await expectStatus(202, at.admin.put(path, body))
      await expectStatus(202, at.admin.put(path, body))
      await expectStatus(409, at.admin.put(path, { ...body, credentials: { chapPassword: `${secret}?` } }))
      await expectStatus(422, at.admin.put(path, { ...body, credentials: { chapPassword: [secret] } }))
      return secret
    },
  },
  {
    name: 'storages.create.credentials',
    plant: async (at) => {
      const secret = canary('storage')
      await storageWith(at, secret)
      return secret
    },
  },
  {
    name: 'storages.put.credentials',
    plant: async (at) => {
      const secret = canary('storage-put')
      const path = await storageWith(at, canary('other'))
      const { body } = await expectStatus(200, at.admin.get(path))
      const { name, uri } = body
      const said = { name, uri, selector: { labels: { canary: 'yes' } }, credentials: { chapPassword: secret } }
      await expectStatus(202, at.admin.put(path, said))
      return secret
    },
  },
  {
    name: 'storages.update.credentials',
    plant: async (at) => {
      const secret = canary('storage-update')
      await expectStatus(
        202,
        at.admin.patch(await storageWith(at, canary('other')), { credentials: { chapPassword: secret } }),
      )
      return secret
    },
  },
  {
    name: 'certificates.create.privateKeyPem',
    plant: async (at) => {
      const own = await issueCertificate({ names: ['canary.example'] })
      await certificateWith(at, own)
      const other = await issueCertificate({ names: ['canary.example'] })
      const wrong = { name: 'canary-wrong', chainPem: other.certPem, privateKeyPem: own.privateKeyPem }
      await expectStatus(422, at.admin.post('/api/v1/certificates', wrong))
      const misplaced = { ...wrong, chainPem: `${own.certPem}${own.privateKeyPem}` }
      await expectStatus(422, at.admin.post('/api/v1/certificates', misplaced))
      return textOf(own)
    },
  },
  {
    name: 'certificates.put.privateKeyPem',
    plant: async (at) => {
      const path = await certificateWith(at, await issueCertificate({ names: ['canary.example'] }))
      const { body } = await expectStatus(200, at.admin.get(path))
      const next = await issueCertificate({ names: ['canary.example'] })
      const said = { name: body.name, chainPem: next.certPem, privateKeyPem: next.privateKeyPem }
      await expectStatus(200, at.admin.put(path, said))
      return textOf(next)
    },
  },
  ...guestFields.map(({ name, plant }) => ({ name, plant: (at: Live) => plant(at) })),
  {
    name: 'the code of a sign-in through a provider',
    plant: (at) =>
      signInThrough(at, 'canary-code', 'a secret of no matter', 403, (issuer) =>
        expectStatus(
          201,
          at.admin.post('/api/v1/identity-providers', { name: 'canary-code', issuer, clientId: CLIENT.id }),
        ),
      ),
  },
  {
    name: 'session.signIn.password',
    plant: async (at) => {
      const password = canary('sign-in')
      const { name } = await makePerson(at, password)
      await expectStatus(200, new Browser(at.url).signIn(name, password))
      await expectStatus(401, new Browser(at.url).signIn(name, `${password}?`))
      await expectStatus(401, new Browser(at.url).signIn(`${name}-unknown`, password))
      return password
    },
  },
  {
    name: 'the cookie of a session',
    plant: async (at) => {
      const { browser } = await makePerson(at, canary('other'))
      await expectStatus(200, browser.get('/api/v1/session'))
      return secretOf(browser.cookies.get('keelson_session') ?? '')
    },
  },
  {
    name: 'session.changePassword.current',
    plant: async (at) => {
      const current = canary('current')
      const { browser } = await makePerson(at, current)
      const path = '/api/v1/session/password'
      await expectStatus(422, browser.put(path, { current, next: current }))
      await expectStatus(204, browser.put(path, { current, next: canary('other') }))
      // it was right a moment ago
      await expectStatus(401, browser.put(path, { current, next: canary('other') }))
      return current
    },
  },
  {
    name: 'session.changePassword.next',
    plant: async (at) => {
      const [next, current] = [canary('next'), canary('other')]
      const { browser } = await makePerson(at, current)
      const path = '/api/v1/session/password'
      await expectStatus(401, browser.put(path, { current: 'not this one', next }))
      await expectStatus(422, browser.put(path, { current, next: next.repeat(10) }))
      await expectStatus(204, browser.put(path, { current, next }))
      return next
    },
  },
  {
    name: 'users.resetPassword.oneTimePassword',
    plant: async (at) => {
      const { id, name } = await makeUser(at, 'person')
      const { oneTimePassword } = await postTwice(at.admin, `/api/v1/users/${id}/reset-password`)
      await expectStatus(200, new Browser(at.url).signIn(name, oneTimePassword))
      return oneTimePassword
    },
  },
  {
    name: 'tokens.create.token',
    plant: async (at) => {
      const { browser } = await makePerson(at, canary('other'))
      return tokenOf(at, await postTwice(browser, '/api/v1/tokens', { name: 'canary' }))
    },
  },
  {
    name: 'userTokens.create.token',
    plant: async (at) => {
      const { id } = await makeUser(at, 'service')
      return tokenOf(at, await postTwice(at.admin, `/api/v1/users/${id}/tokens`, { name: 'canary' }))
    },
  },
]

async function certificateWith({ admin }: Live, { certPem, privateKeyPem }: IssuedCertificate): Promise<string> {
  const said = { name: `canary-${randomUUID()}`, chainPem: certPem, privateKeyPem }
  const { body } = await expectStatus(201, admin.post('/api/v1/certificates', said))
  return `/api/v1/certificates/${body.id}`
}

/** A line from within: other keys begin alike. */
const textOf = ({ privateKeyPem }: IssuedCertificate): string => privateKeyPem.split('\n')[2] ?? ''

/** On a host that is not there to be told of it: the secret waits in the queue. */
async function hostAway({ admin }: Live): Promise<string> {
  const { body } = await expectStatus(201, admin.post('/api/v1/hosts', { name: `canary-${randomUUID()}` }))
  return body.id
}

/** Told well, and badly. */
async function storageWith(at: Live, chapPassword: string): Promise<string> {
  const storage = {
    uri: 'iscsi://192.0.2.1/iqn.2026-01.org.example:a?chapUser=u',
    credentials: { chapPassword },
    selector: { hostIds: [await hostAway(at)] },
  }
  const name = `canary-${randomUUID()}`
  const { body } = await expectStatus(202, at.admin.post('/api/v1/storages', { ...storage, name }))
  await expectStatus(409, at.admin.post('/api/v1/storages', { ...storage, name }))
  await expectStatus(422, at.admin.post('/api/v1/storages', { ...storage, name, credentials: { a: [chapPassword] } }))
  return `/api/v1/storages/${body.id}`
}

/** Secrets that the API is told or tells. */
export const apiSecrets: readonly SecretField[] = fields.map(({ name, plant }) => ({
  name,
  after: async (at) => plant(await live(at)),
}))

async function live({ env, tokenFile }: Planting): Promise<Live> {
  const url = `http://${env.KEELSON_HTTP}`
  return { url, tcp: env.KEELSON_TCP ?? '', admin: http(url, { token: (await readFile(tokenFile, 'utf8')).trim() }) }
}

async function expectStatus(status: number, sent: Promise<HttpReply<Body>>) {
  const reply = await sent
  if (reply.status !== status) throw new Error(`${reply.status} is not ${status}: ${JSON.stringify(reply.body)}`)
  return reply
}

async function makeUser({ admin }: Live, kind: 'person' | 'service'): Promise<{ id: string; name: string }> {
  const { body } = await expectStatus(201, admin.post('/api/v1/users', { kind, name: `canary-${randomUUID()}` }))
  return body
}

async function makePerson(at: Live, password: string): Promise<{ name: string; browser: Browser }> {
  const { id, name } = await makeUser(at, 'person')
  const { body } = await expectStatus(200, at.admin.post(`/api/v1/users/${id}/reset-password`))
  const browser = new Browser(at.url)
  await expectStatus(200, browser.signIn(name, body.oneTimePassword))
  const change = { current: body.oneTimePassword, next: password }
  await expectStatus(204, browser.put('/api/v1/session/password', change))
  return { name, browser }
}

/** The second time from what was kept for its Idempotency-Key. */
async function postTwice(by: Pick<HttpClient, 'post'>, path: string, body?: object) {
  const options = { headers: { 'idempotency-key': randomUUID() } }
  const first = await by.post(path, body, options)
  const again = await expectStatus(first.status, by.post(path, body, options))
  if (again.headers.get('idempotency-replayed') !== 'true') throw new Error(`${path} is not kept`)
  return again.body
}

async function tokenOf({ url }: Live, { token }: { token: string }): Promise<string> {
  await expectStatus(200, http(url, { token }).get('/api/v1/session'))
  return secretOf(token)
}

/** @returns the provider's code, which the plane was told. @throws where that has not come to `status` */
async function signInThrough(
  { url }: Live,
  name: string,
  secret: string,
  status: number,
  add: (issuer: string) => Promise<unknown>,
): Promise<string> {
  const begin = `/api/v1/session/oidc/${name}`
  const redirects = [`${url}${begin}/callback`]
  const provider = await TestProvider.start(redirects)
  try {
    provider.serve({ clients: [{ client_id: CLIENT.id, client_secret: secret, redirect_uris: redirects }] })
    provider.people.set(name, { preferred_username: `${name}-person` })
    await add(provider.issuer)
    const browser = new Browser(url)
    const { headers } = await expectStatus(302, browser.get(begin))
    const back = new URL(await provider.signIn(headers.get('location') ?? '', name))
    await expectStatus(status, browser.get(back.pathname + back.search))
    return back.searchParams.get('code') ?? ''
  } finally {
    await provider.goDown()
  }
}
