import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { BrokerProcess } from '../broker/support/broker-process.js'
import { Figures } from './support/figures.js'
import { Chance, scaled } from './support/scale.js'

const REQUESTS = scaled(100_000, 3_000)
const AT_ONCE = 16
/** Above what the broker has once it is warm. */
const MOST_MORE_BYTES = 96 * 1024 * 1024
const WARM_AFTER = REQUESTS / 5
const MAX_MUTATIONS = 4
const NO_HANGING_MS = 60_000

const value = (xml: string) => `<param><value>${xml}</value></param>`
const call = (method: string, ...params: string[]) =>
  Buffer.from(
    `<?xml version="1.0"?>\n<methodCall><methodName>${method}</methodName><params>${params.map(value).join('')}</params></methodCall>`,
  )
const struct = (...members: [string, string][]) =>
  `<struct>${members.map(([name, xml]) => `<member><name>${name}</name><value>${xml}</value></member>`).join('')}</struct>`
const array = (...xml: string[]) => `<array><data>${xml.map((one) => `<value>${one}</value>`).join('')}</data></array>`
const block = `<base64>${Buffer.alloc(300, 'a host says ').toString('base64')}</base64>`

/** Each is taken as it is; what is sent is one of them that something has happened to. */
const CALLS = [
  call('put_stats', '<int>1</int>', block),
  call('put_stats', '<i8>0</i8>', block),
  call('get_stats'),
  call('push_hosts_state', array('<int>1</int>', '<int>2</int>')),
  call('is_host_alive'),
  call('start_monitor', '<string>mem-free</string>', struct(['address', '<string>0</string>'], ['use_ssl', '<nil/>'])),
  call('start_monitor', 'network', struct(['network_test', 'none'])),
  call('status_monitor', 'network'),
  call('stop_monitor', 'network'),
  call('notify', 'state_transition', 'EngineUp', struct()),
  call('lock_host_id', '<int>1</int>'),
  call('system.listMethods'),
  call('system.multicall', array(struct(['methodName', 'is_host_alive'], ['params', array()]))),
]

const figures = new Figures('Mutated requests to a broker')
afterAll(() => figures.print())

it('are each answered, break nothing, and leave nothing behind', async () => {
  const broker = await BrokerProcess.start()
  const { pid } = broker
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const chance = new Chance('broker-fuzz')
  const answers = new Map<string, number>()
  let [sent, warmBytes] = [0, 0]
  const one = async () => {
    while (sent < REQUESTS) {
      sent += 1
      if (sent === Math.floor(WARM_AFTER)) warmBytes = residentBytes(pid)
      const answer = await post(broker.socket, agent, mutated(chance))
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  agent.destroy()
  const moreBytes = residentBytes(pid) - warmBytes
  for (const [answer, count] of [...answers].sort(([a], [b]) => (a < b ? -1 : 1))) figures.add(answer, count)
  figures.add('memory, more than when warm', `${Math.round(moreBytes / 1024 / 1024)} MB`)
  // 200 is a reply of XML-RPC, also with a fault; what is no request for one has its own code
  expect([...answers.keys()].filter((answer) => !/^(result|fault -?\d+|4\d\d)$/.test(answer))).toEqual([])
  expect(answers.get('fault -32603')).toBeUndefined()
  expect(moreBytes).toBeLessThan(MOST_MORE_BYTES)
  expect(await broker.call('put_stats', 1, Buffer.from('still here'))).toBe('ok')
  expect(broker.pid).toBe(pid)
})

function mutated(chance: Chance): Buffer {
  let body = otherValues(chance.pick(CALLS), chance)
  // a third is well-formed
  if (chance.next() < 1 / 3) return body
  for (let n = chance.between(1, MAX_MUTATIONS); n > 0; n--) body = chance.pick(MUTATIONS)(body, chance)
  return body
}

/** Well-formed, and mostly not what the method takes. */
const VALUES = [
  '<int>-1</int>',
  '<int>2001</int>',
  '<i8>9223372036854775807</i8>',
  '<double>1e308</double>',
  '<boolean>1</boolean>',
  '<string></string>',
  `<string>${'é'.repeat(3_000)}</string>`,
  '<string>__proto__</string>',
  '<string>network</string>',
  '<nil/>',
  '<dateTime.iso8601>20260131T12:00:00</dateTime.iso8601>',
  `<base64>${Buffer.alloc(5_000, 1).toString('base64')}</base64>`,
  '<base64></base64>',
  array(),
  array('<nil/>', array(struct(['a', '<int>1</int>']))),
  struct(['__proto__', '<string>x</string>'], ['constructor', '<nil/>']),
  struct(['methodName', '<string>system.multicall</string>'], ['params', array(array())]),
]

function otherValues(body: Buffer, chance: Chance): Buffer {
  const text = body.toString('utf8')
  return Buffer.from(
    text.replace(/<param><value>.*?<\/value><\/param>/g, (param) =>
      chance.next() < 0.4 ? value(chance.pick(VALUES)) : param,
    ),
  )
}

const at = (body: Buffer, chance: Chance) => chance.between(0, Math.max(0, body.length - 1))
const spliced = (body: Buffer, from: number, gone: number, put: Buffer) =>
  Buffer.concat([body.subarray(0, from), put, body.subarray(from + gone)])

const MUTATIONS: readonly ((body: Buffer, chance: Chance) => Buffer)[] = [
  // a bit
  (body, chance) => {
    const flipped = Buffer.from(body)
    const place = at(body, chance)
    if (body.length > 0) flipped[place]! ^= 1 << chance.between(0, 7)
    return flipped
  },
  // something else in its place
  (body, chance) => spliced(body, at(body, chance), chance.between(0, 8), Buffer.from([chance.between(0, 255)])),
  // what means something
  (body, chance) => {
    const words = [
      '<value>',
      '</value>',
      '<int>',
      '-1',
      '99999999999999999999',
      '<!DOCTYPE a>',
      '&amp;',
      '&#0;',
      ']]>',
      '<nil/>',
    ]
    return spliced(
      body,
      at(body, chance),
      0,
      Buffer.from(chance.pick([...words, '\u0000', 'é', '<array><data>', '__proto__'])),
    )
  },
  // a part twice
  (body, chance) => {
    const from = at(body, chance)
    return spliced(body, from, 0, body.subarray(from, from + chance.between(1, 64)))
  },
  // its end is missing
  (body, chance) => body.subarray(0, at(body, chance)),
  // a part is missing
  (body, chance) => spliced(body, at(body, chance), chance.between(1, 32), Buffer.alloc(0)),
]

/** @returns `result`, `fault` and its code, or the status where the reply is none of XML-RPC */
function post(socketPath: string, agent: Agent, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'text/xml', 'content-length': body.length }
    const sent = request({ socketPath, path: '/RPC2', method: 'POST', headers, agent }, (reply) => {
      let text = ''
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      reply.on('error', reject)
      reply.on('end', () => {
        const fault = /<name>faultCode<\/name><value><int>(-?\d+)</.exec(text)?.[1]
        if (reply.statusCode !== 200) resolve(String(reply.statusCode))
        else resolve(text.startsWith('<?xml') ? (text.includes('<fault>') ? `fault ${fault}` : 'result') : 'no reply')
      })
    })
    sent.setTimeout(NO_HANGING_MS, () => sent.destroy(new Error('no answer')))
    sent.on('error', reject)
    sent.end(body)
  })
}

const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
