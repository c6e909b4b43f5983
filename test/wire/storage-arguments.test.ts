import { readArguments, type StorageArguments } from '../../src/wire/storage/arguments.js'
import { BadArgument } from '../../src/wire/storage/bad-argument.js'
import { schemeRules } from '../../src/wire/storage/uri.js'

const disk = 'iscsi://host/iqn.2026-01.org.example:disk'

function refusal(given: StorageArguments): BadArgument {
  try {
    readArguments(given)
  } catch (error) {
    if (error instanceof BadArgument) return error
    throw error
  }
  throw new Error('it is not refused')
}

describe('the arguments of a storage connection', () => {
  it('mean the same in the query as in the options, in any order and spelling', () => {
    const { options } = readArguments({ uri: 'nfs://server/a?version=4.1&ro&timeo=50' })
    expect(options).toEqual({ version: '4.1', ro: '', timeo: '50' })
    expect(
      readArguments({ uri: 'nfs://server/a', options: { timeo: '50', ro: 'true', version: '4.1' } }).options,
    ).toEqual(options)
  })

  it('leave out what is so anyway', () => {
    expect(
      readArguments({ uri: 'nfs://server/a', options: { version: 'auto', timeo: '100', retrans: '3' } }).options,
    ).toEqual({})
    expect(readArguments({ uri: 'ceph://mon/?user=admin' }).options).toEqual({})
  })

  it('tell what is of the target from what is of the id', () => {
    expect(readArguments({ uri: `${disk}?lun=3&headerDigest=CRC32C` })).toMatchObject({
      options: { headerDigest: 'CRC32C' },
      own: { lun: '3' },
    })
  })

  it.each<[StorageArguments, field: string, words: string]>([
    [{ uri: 'nfs://server' }, 'uri', 'names no path'],
    [{ uri: 'nfs://server/a?timeo=0' }, 'uri', 'timeo takes a whole number from 1 to 6000'],
    [{ uri: 'nfs://server/a', options: { timeo: '0' } }, 'options.timeo', 'from 1 to 6000'],
    [{ uri: 'nfs://server/a', options: { timeo: '05' } }, 'options.timeo', 'from 1 to 6000'],
    [{ uri: 'nfs://server/a', options: { timeo: '1e3' } }, 'options.timeo', 'from 1 to 6000'],
    [{ uri: 'nfs://server/a?ro', options: { ro: '' } }, 'options.ro', 'says ro already'],
    [{ uri: 'nfs://server/a', options: { version: '5' } }, 'options.version', 'auto, 3, 4, 4.1, 4.2'],
    [{ uri: 'nfs://server/a', options: { suid: '' } }, 'options.suid', 'has no option "suid"'],
    [{ uri: 'nfs://server/a', options: { constructor: '' } }, 'options.constructor', 'has no option'],
    [{ uri: 'nfs://server/a', options: { 'ro,exec': '' } }, 'options.ro,exec', 'has no option'],
    [{ uri: 'posix:///dev/sdb?fstype=ext4', options: { ro: 'false' } }, 'options.ro', "'' or 'true'"],
    [{ uri: 'posix:///dev/sdb?fstype=ext4', options: { commit: '1,exec' } }, 'options.commit', 'whole number'],
    [{ uri: 'posix:///dev/sdb?fstype=ext4', options: { errors: 'panic' } }, 'options.errors', 'continue, remount-ro'],
    [{ uri: 'posix:///dev/sdb?fstype=ext4', options: { uid: 7 as unknown as string } }, 'options.uid', 'digits'],
    [{ uri: 'local:///srv', options: { ro: '' } }, 'options.ro', 'it takes none'],
    [{ uri: 'glusterfs://server/volume', options: { backupServers: 'a b' } }, 'options.backupServers', 'up to 8 hosts'],
    [{ uri: disk, options: { lun: '-1' } }, 'options.lun', 'from 0 to 16383'],
    [{ uri: disk, options: { chapUser: 'kim' } }, 'credentials.chapPassword', 'is needed with options.chapUser'],
    [{ uri: `${disk}?chapUser=kim` }, 'credentials.chapPassword', 'is needed with options.chapUser'],
    [{ uri: disk, credentials: { chapPassword: 'swordfish' } }, 'options.chapUser', 'is needed with'],
    [
      { uri: `${disk}?chapUser=kim`, credentials: { chapPassword: 'a', chapPasswordIn: 'b' } },
      'options.chapUserIn',
      'is needed with credentials.chapPasswordIn',
    ],
    [
      { uri: 'nfs://server/a', credentials: { chapPassword: 'a' } },
      'credentials.chapPassword',
      'nfs: has no credential',
    ],
    [{ uri: 'nfs://server/a', credentials: { toString: 'a' } }, 'credentials.toString', 'has no credential'],
    [{ uri: 'ceph://mon/', credentials: { secret: 'no' } }, 'credentials.secret', 'in base64'],
  ])('%j is refused for its %s', (given, field, words) => {
    const refused = refusal(given)
    expect(refused.field).toBe(field)
    expect(refused.message).toContain(words)
  })

  it('never say a secret, not even one that is refused', () => {
    for (const secret of ['sword fish', 'swordfish\n', 'swordfish'.repeat(100), '']) {
      const { message } = refusal({ uri: `${disk}?chapUser=kim`, credentials: { chapPassword: secret } })
      expect(message).toBe(
        'iscsi: the credential chapPassword takes 1 to 255 printable ASCII characters without blanks',
      )
    }
    expect(refusal({ uri: 'nfs://kim:swordfish@server/a' }).message).not.toContain('swordfish')
    expect(refusal({ uri: 'nfs://server/a?password=swordfish' }).message).not.toContain('swordfish')
  })
})

describe('the rules of a scheme', () => {
  it.each(Object.entries(schemeRules))(
    '%s name only fields that there are, and accept their own defaults',
    (_, rules) => {
      const fields = [
        ...Object.keys(rules.options).map((name) => `options.${name}`),
        ...Object.keys(rules.credentials).map((name) => `credentials.${name}`),
      ]
      for (const rule of [...Object.values(rules.options), ...Object.values(rules.credentials)]) {
        for (const need of rule.needs ?? []) expect(fields).toContain(need)
      }
      for (const { accepts, byDefault } of Object.values(rules.options)) {
        if (byDefault !== undefined) expect(accepts(byDefault)).toBe(true)
      }
    },
  )
})
