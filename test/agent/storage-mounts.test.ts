import { mountOptions } from '../../src/agent/storage/mount-options.js'
import { mountPointName } from '../../src/agent/storage/mount-point.js'

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
  it('are sorted, and never give rights on the host', () => {
    expect(mountOptions({})).toEqual(['nodev', 'nosuid'])
    expect(mountOptions({ ro: '', nosuid: '', commit: '30' })).toEqual(['commit=30', 'nodev', 'nosuid', 'ro'])
  })
})
