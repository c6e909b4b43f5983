import { FaultError } from '../../src/agent/fault.js'
import { mountOptions } from '../../src/agent/storage/mount-options.js'
import { mountPointName } from '../../src/agent/storage/mount-point.js'
import { parseStorageUri } from '../../src/agent/storage/uri.js'

describe('a storage URI', () => {
  it.each([
    ['local:///srv/images', 'local:///srv/images'],
    ['local:/srv/images', 'local:///srv/images'],
    ['LOCAL:///srv/images', 'local:///srv/images'],
    ['local://localhost/srv/images', 'local:///srv/images'],
    ['local://LOCALHOST/srv/images', 'local:///srv/images'],
    ['local:///srv/images/', 'local:///srv/images'],
    ['local:///srv//images///', 'local:///srv/images'],
    ['local:////srv/images', 'local:///srv/images'],
    ['local:///srv/./images/.', 'local:///srv/images'],
    ['local:///srv/%69mages', 'local:///srv/images'],
    ['local:///srv%2Fimages', 'local:///srv/images'],
    ['local:///srv/images?', 'local:///srv/images'],
    ['local:///srv/two words', 'local:///srv/two%20words'],
    ['local:///srv/two%20words', 'local:///srv/two%20words'],
    ['local:///srv/100%25', 'local:///srv/100%25'],
    ['local:///srv/what%3F', 'local:///srv/what%3F'],
    ['local:///srv/größe', 'local:///srv/größe'],
    ['local:///srv/gr%C3%B6%C3%9Fe', 'local:///srv/größe'],
    ['local:///srv/..hidden', 'local:///srv/..hidden'],
    ['posix:///dev/sdb1?fstype=ext4', 'posix:///dev/sdb1?fstype=ext4'],
    ['posix:/dev//sdb1?fstype=EXT4', 'posix:///dev/sdb1?fstype=ext4'],
    ['posix:///dev/sdb1?&FSTYPE=ext4&', 'posix:///dev/sdb1?fstype=ext4'],
    ['posix:///srv/disk.img/?fstype=xfs', 'posix:///srv/disk.img?fstype=xfs'],
    ['posix:///srv/dir?fstype=bind', 'posix:///srv/dir?fstype=bind'],
  ])('%s leads to %s', (uri, target) => {
    expect(parseStorageUri(uri).target).toBe(target)
  })

  it.each(['local:///srv/a b', 'posix:///x%3fy/z%25?fstype=bind'])('%s is normalised once and for all', (uri) => {
    const { target } = parseStorageUri(uri)
    expect(parseStorageUri(target).target).toBe(target)
  })

  it.each([
    ['', 'scheme'],
    ['/srv/images', 'scheme'],
    ['nfs://server/export', 'nfs: is no storage scheme of this agent'],
    ['constructor:/x', 'constructor: is no storage scheme'],
    ['local:srv', 'absolute path'],
    ['local://server/srv', 'absolute path'],
    ['local:', 'absolute path'],
    ['local:///', 'root directory'],
    ['local:///srv/..', '..'],
    ['local:///srv/%2e%2e/etc', '..'],
    ['local:///srv#part', 'fragment'],
    ['local:///srv/%zz', 'broken % escape'],
    ['local:///srv/%00', 'control character'],
    ['local:///srv/a%0ab', 'control character'],
    ['local:///srv?fstype=ext4', 'local: has no parameter fstype'],
    ['posix:///dev/sdb1', 'fstype must be one of'],
    ['posix:///dev/sdb1?fstype=nfs', 'fstype must be one of'],
    ['posix:///dev/sdb1?fstype=ext4&fstype=xfs', 'given twice'],
    ['posix:///dev/sdb1?fstype=ext4&options=ro', 'posix: has no parameter options'],
  ])('%s is refused, naming the fault', (uri, words) => {
    const refused = () => parseStorageUri(uri)
    expect(refused).toThrow(FaultError)
    expect(refused).toThrow(words)
  })
})

describe('a mount point', () => {
  it.each([
    ['/dev/sdb1', '_dev_sdb1'],
    ['/srv/my_disk.img', '_srv_my__disk.img'],
    ['server:/a//b_c/', 'server:_a_b__c'],
    ['server:/', 'server:_'],
  ])('for %s is named %s', (source, name) => {
    expect(mountPointName(source)).toBe(name)
  })

  it('for a path that is too long for a name stays below the limit and apart from its neighbours', () => {
    const [one, two] = ['a', 'b'].map((end) => mountPointName(`/${'ö'.repeat(300)}${end}`))
    expect(Buffer.byteLength(one!)).toBeLessThanOrEqual(255)
    expect(one).not.toBe(two)
  })
})

describe('mount options', () => {
  it('are checked, sorted, and never give rights on the host', () => {
    expect(mountOptions({})).toEqual(['nodev', 'nosuid'])
    expect(mountOptions({ ro: '', noatime: 'true', commit: '30' })).toEqual([
      'commit=30',
      'noatime',
      'nodev',
      'nosuid',
      'ro',
    ])
  })

  it.each([
    [{ suid: '' }, 'suid'],
    [{ ro: 'false' }, 'ro'],
    [{ commit: '1,exec' }, 'commit'],
    [{ constructor: '' }, 'constructor'],
    [{ 'ro,exec': '' }, 'ro,exec'],
    [{ errors: 'panic' }, 'errors'],
  ])('%j is refused', (options, name) => {
    expect(() => mountOptions(options)).toThrow(name)
  })
})
