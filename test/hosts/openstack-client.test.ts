import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type AnsweringHost, answeringHost } from '../engine/support/answering-host.js'
import { createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
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
})
