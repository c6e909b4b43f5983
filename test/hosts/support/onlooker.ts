import type { TestProcess } from '../../support/process.js'
import type { Ground } from '../../trial/support/ground.js'
import type { Client } from './bridges.js'

const asks = `
import socket, struct, sys, time
own, wanted = (socket.inet_aton(address) for address in sys.argv[1:3])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind(('eth0', 0))
wire.settimeout(0.02)
mac = wire.getsockname()[4]
request = b'\\xff' * 6 + mac + struct.pack('!HHHBBH', 0x0806, 1, 0x0800, 6, 4, 1) + mac + own + b'\\0' * 6 + wanted
while True:
    try:
        wire.send(request)
    except OSError:
        # its own cable is not up yet
        time.sleep(0.02)
        continue
    end = time.monotonic() + 0.02
    while time.monotonic() < end:
        try:
            frame = wire.recv(64)
        except socket.timeout:
            break
        if frame[20:22] == b'\\0\\2' and frame[28:32] == wanted:
            print(round(time.monotonic() * 1000), frame[22:28].hex(), flush=True)
`

const requests = `
const { get } = require('node:http')
const [host] = process.argv.slice(1)
const ask = () => {
  const done = (how) => { console.log(how); setTimeout(ask, 50) }
  const asked = get({ host, port: 80, agent: false, timeout: 1000 }, (answer) => {
    answer.resume().on('end', () => done(answer.statusCode))
  })
  asked.on('timeout', () => asked.destroy(new Error('timeout'))).on('error', ({ code, message }) => done(code ?? message))
}
ask()
`

const member = `require('node:http').createServer((_, answer) => answer.end('well')).listen(3000, process.argv[1])`

/** Another machine on the network of the VIPs, which asks all the time who has one, and what is behind it. */
export class Onlooker {
  private readonly asking: TestProcess
  private readonly getting: TestProcess
  private readonly member: TestProcess

  constructor(ground: Ground, client: Client, address: string, vip: string) {
    const run = (...command: string[]) => ground.run(['ip', 'netns', 'exec', client.name, ...command])
    this.member = run(process.execPath, '-e', member, '--', address)
    this.asking = run('python3', '-u', '-c', asks, address, vip)
    this.getting = run(process.execPath, '-e', requests, '--', vip)
  }

  /** Who has answered for the VIP, one entry for each time that it was another than before. */
  holders(): string[] {
    const answers = this.answers().map(([, mac]) => mac!)
    return answers.filter((mac, index) => mac !== answers[index - 1])
  }

  /** Longest time in which nobody has answered. */
  longestGapMs(): number {
    const times = this.answers().map(([at]) => Number(at))
    return Math.max(0, ...times.slice(1).map((at, index) => at - times[index]!))
  }

  /** What requests came to since so many. */
  replies(since = 0): string[] {
    return this.getting.stdout.split('\n').slice(0, -1).slice(since)
  }

  get stderr(): string {
    return [this.asking, this.getting, this.member].map(({ stderr }) => stderr).join('\n')
  }

  private answers(): string[][] {
    const lines = this.asking.stdout.split('\n').slice(0, -1)
    return lines.map((line) => line.split(' '))
  }
}
