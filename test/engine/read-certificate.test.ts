import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readCertificate } from '../../src/engine/balancing/certificates/read-certificate.js'
import { Invalid } from '../../src/engine/platform/errors.js'
import { issueCertificate } from '../support/issued-certificate.js'

const now = new Date('2026-06-01T00:00:00Z')

function refusal(chainPem: string, privateKeyPem: string): Invalid {
  try {
    readCertificate(chainPem, privateKeyPem, now)
  } catch (error) {
    if (error instanceof Invalid) return error
    throw error
  }
  throw new Error('it was taken')
}

it.each(['EC', 'RSA'] as const)(
  'takes a certificate of %s with its names, its end and its fingerprint',
  async (kind) => {
    const own = await issueCertificate({ names: ['Shop.example', '*.shop.example'], kind })
    const read = readCertificate(own.certPem, own.privateKeyPem, now)
    expect(read).toMatchObject({ dnsNames: ['shop.example', '*.shop.example'], notAfter: own.notAfter })
    expect(read.fingerprint).toMatch(/^[0-9a-f]{64}$/)
    expect(new X509Certificate(read.chainPem).checkPrivateKey(createPrivateKey(read.privateKeyPem))).toBe(true)
  },
)

it('takes a chain in its order, and drops what else stands in the file', async () => {
  const root = await issueCertificate({ names: ['root'] })
  const middle = await issueCertificate({ names: ['middle'], issuer: root })
  const own = await issueCertificate({ names: ['shop.example'], issuer: middle })
  const { chainPem } = readCertificate(`# bag\n${own.certPem}\n\n${middle.certPem}`, own.privateKeyPem, now)
  expect(chainPem.match(/BEGIN/g)).toHaveLength(2)
  expect(chainPem).not.toContain('bag')
  const whole = `${own.certPem}${middle.certPem}${root.certPem}`
  expect(readCertificate(whole, own.privateKeyPem, now).chainPem.match(/BEGIN/g)).toHaveLength(3)
  expect(refusal(`${own.certPem}${root.certPem}`, own.privateKeyPem).message).toMatch(/out of order/)
  expect(refusal(`${middle.certPem}${own.certPem}`, middle.privateKeyPem).message).toMatch(/out of order/)
})

describe('refuses, naming the field,', () => {
  it('the key of another', async () => {
    const [one, other] = [await issueCertificate({ names: ['a'] }), await issueCertificate({ names: ['a'] })]
    expect(refusal(one.certPem, other.privateKeyPem).faults).toEqual([
      { field: 'privateKeyPem', message: 'privateKeyPem is the key of another certificate' },
    ])
  })

  it('one that has expired, and a chain with one that has', async () => {
    const old = await issueCertificate({ names: ['old'], notAfter: new Date('2026-05-01T00:00:00Z') })
    expect(refusal(old.certPem, old.privateKeyPem).faults).toEqual([
      { field: 'chainPem', message: 'chainPem expired at 2026-05-01T00:00:00.000Z' },
    ])
    const under = await issueCertificate({ names: ['new'], issuer: old })
    expect(refusal(`${under.certPem}${old.certPem}`, under.privateKeyPem).message).toMatch(/CN=old.*has expired/)
  })

  it('a weak key', async () => {
    const weak = await issueCertificate({ names: ['weak'], kind: 'weak RSA' })
    expect(refusal(weak.certPem, weak.privateKeyPem).message).toMatch(/1024 bits/)
  })

  it('what is none, and never says what was given', async () => {
    const own = await issueCertificate({ names: ['a'] })
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'
    const secret = own.privateKeyPem.split('\n')[1]!
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const locked = privateKey
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString()
    const refusals = [
      refusal('nothing', own.privateKeyPem),
      refusal(broken, own.privateKeyPem),
      refusal(own.certPem + own.privateKeyPem, own.privateKeyPem),
      refusal(own.certPem, own.privateKeyPem.replace(/\n.{8}/, '\nAAAAAAAA')),
      refusal(own.certPem, locked),
    ]
    for (const { message, faults } of refusals) expect(`${message} ${JSON.stringify(faults)}`).not.toContain(secret)
    expect(refusals.map(({ faults }) => faults[0]?.field)).toEqual([
      'chainPem',
      'chainPem',
      'chainPem',
      'privateKeyPem',
      'privateKeyPem',
    ])
    expect(refusals.at(-1)?.message).toMatch(/encrypted/)
  })
})
