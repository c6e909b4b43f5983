import { parseStorageUri } from '../../src/wire/storage/uri.js'

/** Ways to write the same thing; the first is the plain one. */
const schemes = (scheme: string) => [scheme, scheme.toUpperCase(), scheme[0]!.toUpperCase() + scheme.slice(1)]
const hosts: readonly (readonly string[])[] = [
  ['server', 'SERVER', 'Server.'],
  ['a.server', 'A.Server', 'a.server.'],
  ['192.0.2.1', '[::ffff:192.0.2.1]', '[::ffff:c000:201]'],
  ['[2001:db8::1]', '[2001:DB8:0::1]', '[2001:db8:0000:0:0:0:0:1]'],
]
const paths: readonly (readonly string[])[] = [
  ['vol', 'vol/', '/vol//', './vol', '%76ol'],
  ['vol/two words', 'vol//two%20words/', '/vol/./two words'],
  ['vol/100%25', 'vol/%31%30%30%25/'],
  ['Vol', '%56ol'],
]
const ports = (port: number) => [
  ['', `:${port}`, `:0${port}`],
  [':4000', ':04000'],
]

interface Spelling {
  /** Equal where the same is meant. */
  readonly meaning: string
  readonly uri: string
}

function remote(scheme: string, port: number): Spelling[] {
  return schemes(scheme).flatMap((name) =>
    hosts.flatMap((sameHost, h) =>
      sameHost.flatMap((host) =>
        paths.flatMap((samePath, p) =>
          samePath.flatMap((path) => [
            ...ports(port).flatMap((samePort, n) =>
              samePort.map((text) => ({
                meaning: `${scheme} ${h} ${n} ${p}`,
                uri: `${name}://${host}${text}/${path}`,
              })),
            ),
            { meaning: `${scheme} ${h} 0 ${p}`, uri: `${name}://${host}:${path}` },
            { meaning: `${scheme} ${h} 0 ${p}`, uri: `${name}://${host}:/${path}` },
          ]),
        ),
      ),
    ),
  )
}

const iscsi = schemes('iscsi').flatMap((name) =>
  hosts.flatMap((sameHost, h) =>
    sameHost.flatMap((host) =>
      ports(3260).flatMap((samePort, n) =>
        samePort.flatMap((port) =>
          [
            { group: 1, ends: ['', ';portal=1', ';PORTAL=01', '?lun=4', ';portal=1?lun=0'] },
            { group: 2, ends: [';portal=2', '/;portal=2'.slice(1), ';portal=02?headerDigest=None'] },
          ].flatMap(({ group, ends }) =>
            ends.map((end) => ({
              meaning: `iscsi ${h} ${n} ${group}`,
              uri: `${name}://${host}${port}/iqn.2026-01.org.Example:disk${end}`,
            })),
          ),
        ),
      ),
    ),
  ),
)

const onHost = [
  ...paths.flatMap((samePath, p) =>
    samePath.flatMap((path) =>
      ['local:///', 'LOCAL:/./', 'local://localhost/'].map((start) => ({
        meaning: `local ${p}`,
        uri: `${start}${path}`,
      })),
    ),
  ),
  ...['ext4', 'xfs'].flatMap((type) =>
    paths.flatMap((samePath, p) =>
      samePath.flatMap((path) => [
        { meaning: `posix ${type} ${p}`, uri: `posix:///${path}?fstype=${type}` },
        { meaning: `posix ${type} ${p}`, uri: `posix:/./${path}?FSTYPE=${type.toUpperCase()}` },
      ]),
    ),
  ),
]

const monitors = ['a,b', 'b,a', 'A:6789,b', 'b:3300,a,b'].map((text) => ({ meaning: 'ceph', uri: `ceph://${text}/x/` }))

const spellings: readonly Spelling[] = [
  ...remote('nfs', 2049),
  ...remote('glusterfs', 24_007),
  ...iscsi,
  ...onHost,
  ...monitors,
]

describe('every spelling of a storage URI', () => {
  it('is tried in the hundreds', () => {
    expect(spellings.length).toBeGreaterThan(500)
  })

  it('leads to the same target where the same is meant, and to another where it is not', () => {
    const targets = new Map<string, Set<string>>()
    const meanings = new Map<string, Set<string>>()
    for (const { meaning, uri } of spellings) {
      const { target } = parseStorageUri(uri)
      targets.set(meaning, (targets.get(meaning) ?? new Set()).add(target))
      meanings.set(target, (meanings.get(target) ?? new Set()).add(meaning))
    }
    expect([...targets].filter(([, found]) => found.size > 1)).toEqual([])
    expect([...meanings].filter(([, found]) => found.size > 1)).toEqual([])
  })

  it('is normalised once and for all', () => {
    for (const { uri } of spellings) {
      const read = parseStorageUri(uri)
      expect(parseStorageUri(read.target)).toEqual(read)
    }
  })
})
