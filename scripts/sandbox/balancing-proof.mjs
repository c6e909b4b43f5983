import { createServer } from 'node:http'
import { tell } from './narrative.mjs'
import { processesOf } from './processes.mjs'
import { expectStatus } from './rest.mjs'

const SETTLED_MS = 30_000
const ANSWER_MS = 2_000
const NAME = 'quickstart'
const CIDR = '127.83.0.0/24'
/** Requests in a row, by whose answers one sees who takes part. */
const ASKED = 6
const providers = ['haproxy', 'nginx']

/** A load balancer that is asked for over REST and curled through; left out by name where no program for it is there. */
export async function proveBalancing(sandbox, host) {
  const provider = providers.find((name) => host.capabilities.includes(`balancing:${name}`))
  if (!provider) {
    if (process.env.CI === 'true' && process.getuid() === 0) {
      throw new Error('here everything must be shown: neither haproxy nor nginx with its stream module is installed')
    }
    tell.plain(
      '\nLeft out: load balancers, for which this machine has neither haproxy nor nginx with its stream module.',
    )
    return
  }
  const members = [await startMember('one'), await startMember('two')]
  try {
    const proof = new BalancingProof(sandbox, provider, members)
    await proof.clear()
    tell.chapter(`Asked for over REST: a load balancer by ${provider}`)
    await proof.ask()
    await proof.loseMember()
    if (provider === 'haproxy') await proof.killProcess()
    await proof.letGo()
  } finally {
    for (const member of members) member.stop()
  }
}

class BalancingProof {
  constructor(sandbox, provider, members) {
    this.sandbox = sandbox
    this.provider = provider
    this.members = members
  }

  /** What a killed quickstart left. */
  async clear() {
    for (const kind of ['load-balancers', 'networks']) {
      const { body } = await this.#get(`/api/v1/${kind}?name=${NAME}`)
      for (const { id } of body.items) await this.#remove(`/api/v1/${kind}/${id}`)
    }
  }

  async ask() {
    const network = await this.#post('/api/v1/networks', { name: NAME, cidr: CIDR }, 201)
    const listener = {
      protocol: 'HTTP',
      protocolPort: 8080,
      defaultPool: {
        name: 'web',
        protocol: 'HTTP',
        lbAlgorithm: 'ROUND_ROBIN',
        members: this.members.map(({ port }) => ({ address: '127.0.0.1', protocolPort: port })),
        healthMonitor: { type: 'HTTP', delay: 1, timeout: 1, maxRetries: 1, maxRetriesDown: 1 },
      },
    }
    const wanted = { name: NAME, vipNetworkId: network.id, provider: this.provider, listeners: [listener] }
    const asked = await this.#post('/api/v1/load-balancers', wanted, 202)
    this.networkPath = `/api/v1/networks/${network.id}`
    this.path = `/api/v1/load-balancers/${asked.id}`
    tell.done(`POST /api/v1/load-balancers → 202 ${asked.provisioningStatus}`)
    const balancer = await this.sandbox.waitFor(
      'the load balancer is ACTIVE',
      async () => {
        const { body } = await this.#get(this.path)
        if (body.provisioningStatus === 'ACTIVE') return body
        throw new Error(`it is ${body.provisioningStatus}: ${body.statusReason ?? 'no reason is given'}`)
      },
      SETTLED_MS,
    )
    this.url = `http://${balancer.vipAddress}:8080/`
    tell.done(`it is ACTIVE; its VIP is ${balancer.vipAddress}`)
    await this.#answeredBy('both members take turns', ['one', 'two'])
  }

  async loseMember() {
    const [first] = this.members
    first.stop()
    await this.#answeredBy('one member was stopped, and the other has all requests', ['two'])
    await first.start()
    await this.#answeredBy('it is back, and has its share again', ['one', 'two'])
  }

  async killProcess() {
    const pids = processesOf(this.provider, this.sandbox.places.agent)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    tell.done(`kill -9 ${pids.join(' ')}`)
    await this.#answeredBy(`${this.provider} runs again, and nobody asked`, ['one', 'two'])
  }

  async letGo() {
    await this.#remove(`${this.path}?cascade=true`)
    await this.#remove(this.networkPath)
    const left = processesOf(this.provider, this.sandbox.places.agent)
    if (left.length > 0) throw new Error(`${this.provider} still runs: ${left.join(', ')}`)
    tell.done('removed, with its program and its network')
  }

  /** Until as many requests in a row as are telling were answered by those, and by each of them. */
  #answeredBy(what, names) {
    return this.sandbox
      .waitFor(
        what,
        async () => {
          const answers = []
          for (let asked = 0; asked < ASKED; asked++) answers.push(await this.#curl())
          if (String([...new Set(answers)].sort()) === String(names)) return answers
          throw new Error(`answered: ${answers.join(', ')}`)
        },
        SETTLED_MS,
      )
      .then((answers) => {
        tell.done(what)
        tell.seen(`curl ${this.url}: ${answers.join(', ')}`)
      })
  }

  async #curl() {
    const reply = await fetch(this.url, { signal: AbortSignal.timeout(ANSWER_MS) })
    return reply.ok ? reply.text() : `HTTP ${reply.status}`
  }

  async #get(path) {
    return expectStatus(await this.sandbox.rest.get(path), 200, `GET ${path}`)
  }

  async #post(path, body, status) {
    return expectStatus(await this.sandbox.rest.post(path, body), status, `POST ${path}`).body
  }

  /** @returns when nothing of it is left */
  async #remove(path) {
    await this.sandbox.rest.delete(path)
    await this.sandbox.waitFor(
      `${path} is gone`,
      async () => {
        const { status, body } = await this.sandbox.rest.get(path.split('?')[0])
        if (status === 404) return true
        throw new Error(`it is ${body.provisioningStatus ?? 'there'}`)
      },
      SETTLED_MS,
    )
  }
}

async function startMember(name) {
  let server
  let port = 0
  const member = {
    get port() {
      return port
    },
    start: () =>
      new Promise((resolve, reject) => {
        server = createServer((_, reply) => reply.end(name)).once('error', reject)
        server.listen(port, '127.0.0.1', () => {
          port = server.address().port
          resolve()
        })
      }),
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
  await member.start()
  return member
}
