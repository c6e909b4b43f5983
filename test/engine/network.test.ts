import { parseIp, parseNetwork } from '../../src/config/network.js'

const contains = (network: string, address: string) => parseNetwork(network)!.contains(parseIp(address)!)

describe('a range of addresses', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.0/8', '::1', false],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['fd00::/8', 'fd00:ec2::254', true],
    ['fd00::/8', '10.0.0.1', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
  ])('%s holds %s: %s', (network, address, expected) => {
    expect(contains(network, address)).toBe(expected)
  })

  it.each([
    ['10.0.0.0/33'],
    ['10.0.0.1/8'],
    ['10.0.0.0/'],
    ['10.0.0.0/8/8'],
    ['0x0a.0.0.0/8'],
    ['10/8'],
    ['::ffff:10.0.0.0/104'],
    ['host'],
    [''],
  ])('is not %s', (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  })
})

it.each([['0x7f.0.0.1'], ['127.1'], ['2130706433'], ['0177.0.0.1'], ['fe80::1%eth0'], ['1.2.3.4:80'], ['']])(
  'an address is not %s',
  (text) => {
    expect(parseIp(text)).toBeUndefined()
  },
)
