import { mountOptions } from '../../src/agent/storage/mount-options.js'
import { formerMountPointName, mountPointName } from '../../src/agent/storage/mount-point.js'

describe('a mount point', () => {
  it.each([
    ['/dev/sdb1', '_dev_sdb1'],
    ['/srv/my_disk.img', '_srv_my__disk.img'],
    ['server:/a//b_c/', 'server:_a_b__c'],
    ['server:/', 'server:_'],
    ['/srv/_data', '_srv___data'],
    ['/srv/a__b', '_srv_a____b'],
  ])('for %s is named %s', (source, name) => {
    expect(mountPointName(source)).toBe(name)
  })

  it('for a path that is too long for a name stays below the limit and apart from its neighbours', () => {
    const [one, two] = ['a', 'b'].map((end) => mountPointName(`/${'ö'.repeat(300)}${end}`))
    expect(Buffer.byteLength(one!)).toBeLessThanOrEqual(255)
    expect(one).not.toBe(two)
  })

  it('is that of one source alone, whatever VDSM names alike', () => {
    const parts = ['', '/', '_', 'a', '/_', '_/', '__', 'a_', '_a']
    const all = parts.flatMap((one) => parts.flatMap((two) => parts.map((three) => `/a${one}${two}${three}b`)))
    const sources = new Set(all.map((source) => source.replace(/\/+/g, '/')))
    // one that is called like another's name, digest and all
    const forged = mountPointName('/a_/b').replace(/^_/, '/').replace('___', '/_').replace(/_$/, '')
    const names = [...sources, forged].map(mountPointName)
    expect(new Set(names).size).toBe(names.length)
    expect(new Set([...sources].map(formerMountPointName)).size).toBeLessThan(sources.size)
  })
})

describe('mount options', () => {
  it('are sorted, and never give rights on the host', () => {
    expect(mountOptions({})).toEqual(['nodev', 'nosuid'])
    expect(mountOptions({ ro: '', nosuid: '', commit: '30' })).toEqual(['commit=30', 'nodev', 'nosuid', 'ro'])
  })
})
