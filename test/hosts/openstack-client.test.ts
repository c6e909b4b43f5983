import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type AnsweringHost, answeringHost } from '../engine/support/answering-host.js'
import { createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { issueCertificate } from '../support/issued-certificate.js'
import { itInFull } from './support/full.js'
import { describeWith } from './support/needs.js'

const run = promisify(execFile)
const CALL_TIMEOUT_MS = 60_000
/** A call takes seconds: it is Python that starts. */
const TEST_TIMEOUT_MS = 600_000

describeWith(['openstack'], "OpenStack's own client", () => {
  let engine: TestEngine
  let host: AnsweringHost
  let project: string
  /** Of the engine's first token. */
  let user: string

  beforeAll(async () => {
    engine = await startTestEngine()
    const { body } = await engine.http.get('/api/v1/session')
    user = body.name
    host = await answeringHost(engine, 'b1', ['haproxy', 'simulated'])
    project = await createProject(engine, 'shop')
    await engine.http.post('/api/v1/networks', { name: 'public', cidr: '10.20.0.0/16' })
    await engine.http.put('/api/v1/settings/octavia.anonymousProject', { value: [project] })
    await eventually(async () => expect((await fetch(`${engine.url}/v2.0/lbaas/providers`)).status).toBe(200))
  }, 120_000)
  afterAll(async () => {
    host?.stop()
    await engine?.stop()
  }, 60_000)

  const credentials: Readonly<Record<string, () => string[]>> = {
    none: () => ['--os-auth-type', 'none'],
    admin_token: () => ['--os-auth-type', 'admin_token', '--os-token', engine.token],
    http_basic: () => ['--os-auth-type', 'http_basic', '--os-username', user, '--os-password', engine.token],
  }

  /** What it says of one command. It fails when the client does. */
  async function call(type: string, command: string): Promise<string> {
    const words = command.split(' ')
    const args = [...(credentials[type]?.() ?? []), '--os-endpoint', engine.url, 'loadbalancer', ...words]
    const { stdout } = await run('openstack', args, { timeout: CALL_TIMEOUT_MS }).catch((error: unknown) => {
      throw new Error(`${command}: ${(error as { stderr?: string }).stderr}`)
    })
    return stdout
  }

  const show = async (type: string, command: string): Promise<Record<string, unknown>> =>
    JSON.parse(await call(type, `${command} -f json`))

  const names = async (type: string, command: string): Promise<unknown[]> =>
    (JSON.parse(await call(type, `${command} -f json`)) as { name: unknown }[]).map(({ name }) => name)

  it.each(Object.keys(credentials))(
    'makes a balancer by names, changes it and takes it down again, with %s',
    async (type) => {
      const lb = `lb-${type}`
      await call(type, `create --name ${lb} --vip-subnet-id public --provider simulated --project shop`)
      await call(
        type,
        `listener create --name li-${type} --protocol HTTP --protocol-port 80 --connection-limit 9 ${lb}`,
      )
      await call(type, `pool create --name po-${type} --listener li-${type} --protocol HTTP --lb-algorithm ROUND_ROBIN`)
      await call(type, `member create --name m1 --address 192.0.2.1 --protocol-port 80 --subnet-id public po-${type}`)
      await call(type, `set --name renamed-${type} --description new --disable ${lb}`)
      expect(await show(type, `show renamed-${type}`)).toMatchObject({ description: 'new', admin_state_up: false })
      expect(await names(type, `list --name renamed-${type}`)).toEqual([`renamed-${type}`])
      await call(type, `delete --cascade renamed-${type}`)
    },
    TEST_TIMEOUT_MS,
  )

  it(
    'does everything else that it can',
    async () => {
      const type = 'http_basic'
      const each = async (...commands: string[]) => {
        for (const command of commands) await call(type, command)
      }
      await call(
        type,
        'create --name all --vip-network-id public --vip-address 10.20.0.99 --provider simulated --tag red',
      )
      await each(
        'listener create --name front --protocol HTTP --protocol-port 80 --insert-headers X-Forwarded-For=true --allowed-cidr 10.0.0.0/8 all',
        'listener set --connection-limit 100 --timeout-client-data 60000 --tag blue front',
        'listener unset --connection-limit --allowed-cidrs front',
        'pool create --name back --loadbalancer all --protocol HTTP --lb-algorithm LEAST_CONNECTIONS --session-persistence type=APP_COOKIE,cookie_name=sid',
        'pool set --lb-algorithm ROUND_ROBIN --description d back',
        'pool unset --session-persistence back',
        'listener set --default-pool back front',
        'member create --name m1 --address 192.0.2.1 --protocol-port 80 --weight 2 --enable-backup back',
        'member set --weight 0 --disable-backup --monitor-port 81 back m1',
        'member unset --weight --monitor-port back m1',
        'healthmonitor create --name check --type HTTP --delay 5 --timeout 3 --max-retries 2 --http-version 1.1 --domain-name a.example back',
        'healthmonitor set --url-path /health --expected-codes 200-204 check',
        'healthmonitor unset --expected-codes check',
        'l7policy create --name away --action REDIRECT_TO_URL --redirect-url https://a.example/ --redirect-http-code 301 front',
        'l7policy create --name to-back --action REDIRECT_TO_POOL --redirect-pool back --position 1 front',
        'l7policy set --position 2 to-back',
        'l7policy unset --description to-back',
        'l7rule create --type PATH --compare-type STARTS_WITH --value /x away',
      )
      const [rule] = JSON.parse(await call(type, 'l7rule list away -f json')) as { id: string }[]
      await each(
        `l7rule set --value /y --invert away ${rule?.id}`,
        `l7rule unset --invert away ${rule?.id}`,
        `l7rule show away ${rule?.id}`,
      )
      expect(await show(type, 'show all')).toMatchObject({ vip_address: '10.20.0.99', provider: 'simulated' })
      expect(await show(type, 'stats show all')).toMatchObject({ total_connections: 0 })
      // it is JSON whatever is asked for
      expect(JSON.parse(await call(type, 'status show all'))).toHaveProperty('loadbalancer')
      expect(await show(type, 'listener show front')).toMatchObject({
        connection_limit: -1,
        timeout_client_data: 60_000,
      })
      expect(await show(type, 'member show back m1')).toMatchObject({ weight: 1, monitor_port: null })
      expect(await names(type, 'list --tags red')).toEqual(['all'])
      expect(await names(type, 'l7policy list')).toEqual(expect.arrayContaining(['away', 'to-back']))
      await each(
        'listener stats show front',
        'listener list --loadbalancer all',
        'pool list --loadbalancer all',
        'pool show back',
        'member list back',
        'healthmonitor list',
        'healthmonitor show check',
        'l7policy show away',
        'unset --description all',
        'failover all',
      )
      await each(
        `l7rule delete away ${rule?.id}`,
        'l7policy delete away',
        'l7policy delete to-back',
        'healthmonitor delete check',
        'member delete back m1',
        'pool delete back',
        'listener delete front',
        'delete all',
      )
    },
    TEST_TIMEOUT_MS,
  )

  it(
    'keeps providers, flavors, availability zones and quotas',
    async () => {
      const type = 'admin_token'
      const data = '{"a":1}'
      const profile = await show(type, `flavorprofile create --name fp --provider simulated --flavor-data ${data}`)
      const zoneProfile = await show(
        type,
        `availabilityzoneprofile create --name zp --provider simulated --availability-zone-data ${data}`,
      )
      const commands = [
        'provider list',
        'provider capability list simulated',
        'flavorprofile list',
        'flavorprofile set --name fp2 fp',
        `flavorprofile show ${profile.id}`,
        'flavor create --name small --flavorprofile fp2 --description d --enable',
        'flavor set --name smaller small',
        'flavor set --name small smaller',
        'flavor unset --description small',
        'flavor list',
        'flavor show small',
        'create --name flavored --vip-subnet-id public --flavor small',
        'delete flavored',
        'availabilityzoneprofile list',
        `availabilityzoneprofile show ${zoneProfile.id}`,
        'availabilityzone create --name az1 --availabilityzoneprofile zp',
        'availabilityzone set --description d az1',
        'availabilityzone unset --description az1',
        'availabilityzone list',
        'availabilityzone show az1',
        'availabilityzone delete az1',
        'availabilityzoneprofile set --name zp2 zp',
        'availabilityzoneprofile delete zp2',
        'quota defaults show',
        'quota set --loadbalancer 5 --healthmonitor 2 shop',
        'quota list',
        'quota unset --loadbalancer shop',
        'quota reset shop',
      ]
      for (const command of commands) await call(type, command)
      expect(await show(type, 'quota show shop')).toMatchObject({ load_balancer: -1 })
    },
    TEST_TIMEOUT_MS,
  )

  itInFull(
    'takes every option of the commands, and waits where it is told to',
    async () => {
      const type = 'http_basic'
      const { certPem: chainPem, privateKeyPem } = await issueCertificate({ names: ['a.example'] })
      const { body } = await engine.http.post('/api/v1/certificates', { name: 'a', chainPem, privateKeyPem })
      const rule = 'every-p $(rule)'
      const commands = [
        'create --name every --description d --vip-subnet-id public --provider simulated --tag a --tag b --enable --wait',
        'set --description e --tag c --disable --wait every',
        'set --no-tag --enable --wait every',
        'set --tag d --wait every',
        'unset --all-tag --description --vip-qos-policy-id --wait every',
        'list --name every --enable --vip-subnet-id public --vip-network-id public --provisioning-status ACTIVE --provider simulated',
        'list --operating-status OFFLINE --not-tags a --any-tags x,y',
        `listener create --name every-l --description d --protocol TERMINATED_HTTPS --protocol-port 443 --default-tls-container-ref ${body.id} --sni-container-refs ${body.id} --connection-limit 5 --timeout-client-data 1 --timeout-member-connect 2 --timeout-member-data 3 --timeout-tcp-inspect 4 --insert-headers X-Forwarded-For=true,X-Forwarded-Port=false --allowed-cidr 10.0.0.0/8 --allowed-cidr 192.0.2.0/24 --tag t --enable --wait every`,
        'listener set --description e --disable --sni-container-refs --timeout-tcp-inspect 5 --tag u --wait every-l',
        'listener unset --description --connection-limit --default-pool --sni-container-refs --insert-headers --timeout-client-data --timeout-member-connect --timeout-member-data --timeout-tcp-inspect --client-ca-tls-container-ref --client-authentication --client-crl-container-ref --allowed-cidrs --tls-versions --tls-ciphers --alpn-protocols --all-tag --wait every-l',
        'listener list --name every-l --loadbalancer every --disable',
        'pool create --name every-po --description d --protocol HTTP --listener every-l --lb-algorithm SOURCE_IP --session-persistence type=SOURCE_IP --disable-tls --tag t --enable --wait',
        'pool set --description e --session-persistence type=APP_COOKIE,cookie_name=sid --disable --disable-tls --tag u --wait every-po',
        'pool unset --description --session-persistence --tls-container-ref --ca-tls-container-ref --crl-container-ref --tls-versions --tls-ciphers --alpn-protocols --all-tag --wait every-po',
        'member create --name every-m --address 192.0.2.1 --protocol-port 80 --weight 3 --disable-backup --monitor-port 81 --monitor-address 192.0.2.2 --subnet-id public --tag t --disable --wait every-po',
        'member set --name every-m --weight 4 --enable-backup --monitor-port 82 --monitor-address 192.0.2.3 --enable --tag u --wait every-po every-m',
        'member unset --backup --monitor-address --monitor-port --weight --all-tag --wait every-po every-m',
        'member list --tags t every-po',
        'healthmonitor create --name every-h --type HTTP --delay 5 --timeout 3 --max-retries 2 --max-retries-down 2 --http-method HEAD --http-version 1.1 --domain-name a.example --url-path /h --expected-codes 200,201 --tag t --enable --wait every-po',
        'healthmonitor set --name every-h --delay 6 --timeout 4 --max-retries 3 --max-retries-down 3 --http-method GET --http-version 1.1 --domain-name b.example --disable --wait every-h',
        'healthmonitor unset --domain-name --expected-codes --http-method --http-version --max-retries-down --url-path --all-tag --wait every-h',
        'healthmonitor list --any-tags t',
        'l7policy create --name every-p --description d --action REDIRECT_PREFIX --redirect-prefix https://a.example --redirect-http-code 308 --position 1 --tag t --enable --wait every-l',
        'l7policy set --description e --action REDIRECT_TO_URL --redirect-url https://b.example --redirect-http-code 303 --position 1 --disable --wait every-p',
        'l7policy unset --description --redirect-http-code --all-tag --wait every-p',
        'l7policy list --listener every-l',
        'l7rule create --type HEADER --compare-type CONTAINS --key X-A --value b --invert --tag t --enable every-p',
        `l7rule set --type COOKIE --compare-type EQUAL_TO --key c --value d --disable --wait ${rule}`,
        `l7rule unset --invert --all-tag --wait ${rule}`,
        'failover --wait every',
        'amphora list',
        'amphora list --loadbalancer every --long',
        'provider capability list --flavor simulated',
        'provider capability list --availability-zone simulated',
        'quota set --loadbalancer 9 --listener 9 --pool 9 --member 9 --healthmonitor 9 --l7policy 9 --l7rule 9 shop',
        'quota list --project shop',
        'quota unset --loadbalancer --listener --pool --member --healthmonitor --l7policy --l7rule shop',
        `l7rule delete --wait ${rule}`,
        'l7policy delete --wait every-p',
        'healthmonitor delete --wait every-h',
        'member delete --wait every-po every-m',
        'pool delete --wait every-po',
        'listener delete --wait every-l',
        'delete --wait every',
      ]
      let ruleId = ''
      for (const command of commands) {
        const stdout = await call(type, command.replace('$(rule)', ruleId))
        if (command.startsWith('l7rule create')) ruleId = /[|] id +[|] (\S+)/.exec(stdout)?.[1] ?? ''
      }
      expect(await names(type, 'list --name every')).toEqual([])
    },
    TEST_TIMEOUT_MS,
  )

  itInFull(
    'tells in one sentence what is wrong',
    async () => {
      const wrong: readonly (readonly [string, RegExp])[] = [
        ['show none', /Unable to locate none/],
        ['create --vip-subnet-id public --provider none', /none.*HTTP 400.*req-/s],
      ]
      for (const [command, words] of wrong) await expect(call('http_basic', command)).rejects.toThrow(words)
    },
    TEST_TIMEOUT_MS,
  )
})
